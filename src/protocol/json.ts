/** JSON with exact 64-bit integers: numbers that a double cannot hold are `bigint` on both sides. */
import { AloftError } from '../core/errors.js';
import { withoutMark } from '../core/file-json.js';
import { JsonCounter, wideIntegers } from './json-cost.js';

export type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export type JsonObject = { readonly [key: string]: JsonValue };

/**
 * @throws {AloftError} REQUEST_INVALID when the text is not JSON, or has more levels, members or values than the limits allow.
 */
export function parseJson(source: string): JsonValue {
  const text = withoutMark(source);
  const mayHaveWideIntegers = new JsonCounter('The request body').add(text);
  try {
    const value: JsonValue = JSON.parse(text);
    return mayHaveWideIntegers ? withWideIntegers(text) : value;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AloftError('REQUEST_INVALID', `The request body is not valid JSON: ${reason}`, { cause });
  }
}

/** Reads a valid text again, its wide integers as strings under a mark that the sender of the text cannot know. */
function withWideIntegers(text: string): JsonValue {
  const mark = randomMark();
  let marked = '';
  let rest = 0;
  for (const { start, end } of wideIntegers(text)) {
    marked += `${text.slice(rest, start)}"${mark}${text.slice(start, end)}"`;
    rest = end;
  }
  return unmarked(JSON.parse(marked + text.slice(rest)) as Parsed, mark);
}

/** Text that nobody can guess. Clients in browsers read JSON, too, so nothing of Node is used. */
function randomMark(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

type Parsed = string | number | boolean | null | bigint | Parsed[] | { [key: string]: Parsed };

/** Puts numbers in the place of marked texts, in place. A reviver of JSON.parse does the same in ten times the time. */
function unmarked(value: Parsed, mark: string): Parsed {
  if (typeof value === 'string') return value.startsWith(mark) ? narrow(value.slice(mark.length)) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = unmarked(value[i]!, mark);
    return value;
  }
  for (const [key, item] of Object.entries(value)) {
    const plain = unmarked(item, mark);
    // Only what has changed is written: to write a key such as __proto__ would be no plain assignment.
    if (plain !== item) value[key] = plain;
  }
  return value;
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
  const mark = randomMark();
  const text = JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'bigint' ? `${mark}${item}` : item,
  );
  return text.replaceAll(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1');
}

function narrow(digits: string): number | bigint {
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return value;
  if (digits.length > 40) return value;
  return BigInt(digits);
}
