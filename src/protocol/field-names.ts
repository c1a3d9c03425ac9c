/** The engine's refusals name members of the Node API; a client gets them in the words of the interface that it used. */
import { AloftError, type ErrorCode } from '../core/errors.js';

/** Member of GenerateRequest, or a path in it such as `beam.width` -> the interface's name of it. */
export type FieldNames = Readonly<Record<string, string>>;

const ABOUT_REQUESTS: ReadonlySet<ErrorCode> = new Set([
  'REQUEST_INVALID',
  'PROMPT_TOO_LONG',
  'CONTEXT_LENGTH_EXCEEDED',
  'REQUEST_TOO_LARGE',
]);

/** Words that are no plain English: `maxOutputTokens`, `beam.width`; and the first word, which names the field at fault. */
const FIELD_WORD = /^\w+(?:\.\w+)?|\b[a-z]+\.[a-z]\w*\b|\b[a-z]+[A-Z]\w*\b/g;

/** A remedy that an interface without the member cannot offer. */
const REMEDY = /\bset (\w+) to \d+ or less, /g;

export interface Renamed {
  readonly message: string;
  /** The first field that the message names. */
  readonly field: string | undefined;
}

export function renameFields(message: string, names: FieldNames): Renamed {
  let field: string | undefined;
  const possible = message.replaceAll(REMEDY, (remedy, word: string) =>
    Object.hasOwn(names, word) ? remedy : '',
  );
  const renamed = possible.replaceAll(FIELD_WORD, (word) => {
    const name = Object.hasOwn(names, word) ? names[word] : undefined;
    field ??= name;
    return name ?? word;
  });
  return { message: renamed, field };
}

/** The same error in the interface's words; other errors stay as they are. */
export function inFieldNames(error: AloftError, names: FieldNames): AloftError {
  if (!ABOUT_REQUESTS.has(error.code)) return error;
  const { message } = renameFields(error.message, names);
  return message === error.message ? error : new AloftError(error.code, message, { cause: error });
}
