const NAMED: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  f: '\f',
  b: '\b',
  v: '\v',
  '0': '\0',
};

/** The text of a string with escapes: `\n` and the like, `\xHH`, `\uHHHH`, `\UHHHHHHHH`; other escaped characters stand for themselves. */
export function unescapeEbnf(source: string): string {
  return source.replaceAll(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gsu,
    (_, byte?: string, unit?: string, point?: string, character?: string) => {
      const digits = byte ?? unit ?? point;
      if (digits === undefined) return NAMED[character!] ?? character!;
      const value = Number.parseInt(digits, 16);
      return value <= 0x10ffff && !(value >= 0xd800 && value <= 0xdfff)
        ? String.fromCodePoint(value)
        : '\ufffd';
    },
  );
}
