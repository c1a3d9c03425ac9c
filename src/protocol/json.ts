/** JSON with exact 64-bit integers: numbers that a double cannot hold are `bigint` on both sides. */
import { AloftError } from '../core/errors.js';

export type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export type JsonObject = { readonly [key: string]: JsonValue };

/** Marks a wide integer while it is a string; a real string cannot hold it unescaped in JSON text. */
const WIDE = '\u0000int:';
/** Strings, which are left alone, and whole numbers: not the digits of a fraction or of an exponent. */
const WIDE_INTEGER = /"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/gs;

/** @throws {AloftError} REQUEST_INVALID when the text is not JSON. */
export function parseJson(text: string): JsonValue {
  try {
    if (!/\d{16}/.test(text)) return JSON.parse(text);
    const marked = text.replace(WIDE_INTEGER, (token) =>
      token.startsWith('"') ? token : `"\\u0000int:${token}"`,
    );
    return JSON.parse(marked, (_, value) =>
      typeof value === 'string' && value.startsWith(WIDE) ? narrow(value.slice(WIDE.length)) : value,
    );
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AloftError('REQUEST_INVALID', `The request body is not valid JSON: ${reason}`, { cause });
  }
}

/** @throws {AloftError} REQUEST_INVALID when the text is not a JSON object. An empty text is `{}`. */
export function parseJsonObject(text: string): JsonObject {
  const value = text.trim() === '' ? {} : parseJson(text);
  if (isObject(value)) return value;
  throw new AloftError('REQUEST_INVALID', 'The request body must be a JSON object.');
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `JSON.stringify` that writes `bigint` as a plain number. */
export function writeJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // JSON.stringify throws a TypeError for a bigint. Most values have none, and a replacer would slow all of them.
    if (!(error instanceof TypeError)) throw error;
  }
  const text = JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'bigint' ? `${WIDE}${item}` : item,
  );
  return text.replaceAll(/"\\u0000int:(-?\d+)"/g, '$1');
}

function narrow(digits: string): number | bigint {
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return value;
  if (digits.length > 40) return value;
  return BigInt(digits);
}
