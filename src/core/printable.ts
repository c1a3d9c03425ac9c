/** Control characters but line feed and tab: C0, DEL and C1. They move cursors, change colours and rewrite lines. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** A text without control characters: what was read from files or clients may hold them. */
export function printable(text: string): string {
  return text.replaceAll(
    CONTROL,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
