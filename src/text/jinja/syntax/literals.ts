/** Numbers, names and strings within tags. Each reader returns undefined when something else begins there. */
import { PythonError, unsupported } from '../python-error.js';
import { float } from '../values/numbers.js';
import type { Value } from '../values/value.js';

export interface Literal {
  readonly end: number;
  readonly value: Value;
}

const isDigit = (character: string | undefined): boolean =>
  character !== undefined && character >= '0' && character <= '9';

/** The end of digits, which single underscores may separate; `start` when there are none. */
function digitsEnd(
  source: string,
  start: number,
  isPart: (character: string | undefined) => boolean,
): number {
  let at = start;
  while (isPart(source[at]) || (at > start && source[at] === '_' && isPart(source[at + 1]))) at++;
  return at;
}

export function readFloat(source: string, start: number): Literal | undefined {
  if (source[start - 1] === '.' || !isDigit(source[start])) return undefined;
  let end = digitsEnd(source, start, isDigit);
  const wholeEnd = end;
  if (source[end] === '.' && isDigit(source[end + 1])) end = digitsEnd(source, end + 1, isDigit);
  if (source[end] === 'e' || source[end] === 'E') {
    const sign = source[end + 1] === '+' || source[end + 1] === '-' ? 1 : 0;
    if (isDigit(source[end + 1 + sign])) end = digitsEnd(source, end + 1 + sign, isDigit);
  }
  if (end === wholeEnd) return undefined;
  return { end, value: float(Number(source.slice(start, end).replaceAll('_', ''))) };
}

const RADIX_DIGITS: Readonly<Record<string, RegExp>> = { b: /[01]/, o: /[0-7]/, x: /[\da-fA-F]/ };

export function readInteger(source: string, start: number): Literal | undefined {
  if (!isDigit(source[start])) return undefined;
  const radix = source[start] === '0' ? RADIX_DIGITS[(source[start + 1] ?? '').toLowerCase()] : undefined;
  if (radix !== undefined) {
    const isPart = (character: string | undefined) => character !== undefined && radix.test(character);
    const first = source[start + 2] === '_' ? start + 3 : start + 2;
    const end = digitsEnd(source, first, isPart);
    if (end > first) return { end, value: integerOf(source.slice(start, end)) };
  }
  // A zero at the front may only be followed by zeros.
  const isPart = source[start] === '0' ? (character: string | undefined) => character === '0' : isDigit;
  const end = digitsEnd(source, start, isPart);
  return { end, value: integerOf(source.slice(start, end)) };
}

const MAX_DIGITS = 4300;

function integerOf(text: string): Value {
  const plain = text.replaceAll('_', '').toLowerCase();
  if (plain.length > MAX_DIGITS)
    throw new PythonError(
      'ValueError',
      `Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion`,
    );
  const value = BigInt(plain);
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

const NAME_CHARACTER = /[\p{L}\p{N}\p{M}_]/u;

/** The end of the name that begins at `start`; `start` when there is none. */
export function nameEnd(source: string, start: number): number {
  let at = start;
  while (at < source.length) {
    const character = String.fromCodePoint(source.codePointAt(at)!);
    if (!NAME_CHARACTER.test(character)) break;
    at += character.length;
  }
  return at;
}

/** The end of a string literal, or undefined when it has none. */
export function stringEnd(source: string, start: number): number | undefined {
  const quote = source[start];
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (source[at] === quote) return at + 1;
  }
  return undefined;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};
const HEX_LENGTHS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** The text of a string literal without its quotes. @throws {PythonError} for an incomplete escape */
export function unescape(text: string): string {
  let result = '';
  for (let at = 0; ;) {
    const slash = text.indexOf('\\', at);
    if (slash < 0) return result + text.slice(at);
    const { character, length } = readEscape(text, slash);
    result += text.slice(at, slash) + character;
    at = slash + length;
  }
}

function readEscape(text: string, slash: number): { readonly character: string; readonly length: number } {
  const letter = text[slash + 1];
  if (letter === undefined) throw syntaxError('\\ at end of string');
  const simple = SIMPLE_ESCAPES[letter];
  if (simple !== undefined) return { character: simple, length: 2 };
  const octal = /^[0-7]{1,3}/.exec(text.slice(slash + 1, slash + 4))?.[0];
  if (octal !== undefined)
    return { character: String.fromCodePoint(Number.parseInt(octal, 8)), length: 1 + octal.length };
  if (letter === 'N') throw unsupported('characters by their names (\\N{...})');
  const length = HEX_LENGTHS[letter];
  if (length === undefined) return { character: `\\${letter}`, length: 2 };
  const digits = text.slice(slash + 2, slash + 2 + length);
  if (digits.length < length || !/^[\da-fA-F]+$/.test(digits))
    throw syntaxError(`truncated \\${letter} escape`);
  const code = Number.parseInt(digits, 16);
  if (code > 0x10ffff) throw syntaxError('illegal Unicode character');
  return { character: String.fromCodePoint(code), length: 2 + length };
}

const syntaxError = (message: string): PythonError => new PythonError('TemplateSyntaxError', message);
