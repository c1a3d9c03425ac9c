/** `int(text)` and `float(text)` */
import { PythonError, valueError } from '../python-error.js';
import { float, integer } from '../values/numbers.js';
import { reprText } from '../values/printing.js';
import { strip } from './text-search.js';
import type { Value } from '../values/value.js';
import { decimalValue, isDecimal } from './character-classes.js';

const MAX_INTEGER_DIGITS = 4300;
const PREFIXES: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16 };

/** Decimal digits of all scripts as ASCII ones, without whitespace at the ends. */
const normalise = (text: string): string =>
  Array.from(strip(text, undefined, 'both'), (character) =>
    character > '\x7f' && isDecimal(character) ? String(decimalValue(character)) : character,
  ).join('');

/** @throws {PythonError} ValueError */
export function parseInteger(text: string, base: number): Value {
  if (base !== 0 && (base < 2 || base > 36)) throw valueError('int() base must be >= 2 and <= 36, or 0');
  const plain = normalise(text);
  const sign = plain.startsWith('-') ? -1n : 1n;
  const unsigned = /^[+-]/.test(plain) ? plain.slice(1) : plain;
  const magnitude = parseMagnitude(unsigned.toLowerCase(), base);
  if (magnitude === undefined)
    throw valueError(`invalid literal for int() with base ${base}: ${reprText(text)}`);
  return integer(sign * magnitude);
}

function parseMagnitude(text: string, given: number): bigint | undefined {
  const prefix = text[0] === '0' ? PREFIXES[text[1] ?? ''] : undefined;
  const hasPrefix = prefix !== undefined && (given === 0 || given === prefix);
  const base = given === 0 ? (prefix ?? 10) : given;
  const digits = hasPrefix ? text.slice(2).replace(/^_/, '') : text;
  if (!hasPlacedUnderscores(digits)) return undefined;
  const plain = digits.replaceAll('_', '');
  if (given === 0 && prefix === undefined && /^0+[1-9]/.test(plain)) return undefined;
  if (plain.length > MAX_INTEGER_DIGITS && (base & (base - 1)) !== 0)
    throw new PythonError(
      'ValueError',
      `Exceeds the limit (${MAX_INTEGER_DIGITS} digits) for integer string conversion: value has ${plain.length} digits`,
    );
  return digitsToInteger(plain, base);
}

/** Underscores stand only between digits. */
const hasPlacedUnderscores = (digits: string): boolean =>
  digits !== '' && !digits.startsWith('_') && !digits.endsWith('_') && !digits.includes('__');

function digitsToInteger(digits: string, base: number): bigint | undefined {
  for (const digit of digits) if (!isDigitOf(digit, base)) return undefined;
  const prefix = Object.entries(PREFIXES).find(([, of]) => of === base)?.[0];
  if (base === 10 || prefix !== undefined)
    return BigInt(prefix === undefined ? digits : `0${prefix}${digits}`);
  let value = 0n;
  for (const digit of digits) value = value * BigInt(base) + BigInt(Number.parseInt(digit, base));
  return value;
}

const isDigitOf = (digit: string, base: number): boolean =>
  /^[0-9a-z]$/.test(digit) && !Number.isNaN(Number.parseInt(digit, base));

// Classes with a fixed order and no overlap: a match never backtracks.
const FLOAT = /^[+-]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[+-]?\d[\d_]*)?$/i;
const NAMED = /^([+-]?)(inf|infinity|nan)$/i;

/** @throws {PythonError} ValueError */
export function parseFloatText(text: string): Value {
  const plain = normalise(text);
  const named = NAMED.exec(plain);
  if (named !== null) {
    const value = named[2]!.toLowerCase() === 'nan' ? Number.NaN : Infinity;
    return named[1] === '-' ? -value : value;
  }
  const areUnderscoresPlaced = !plain.includes('_') || !/__|_(?!\d)|(?<!\d)_/.test(plain);
  if (!FLOAT.test(plain) || !areUnderscoresPlaced)
    throw valueError(`could not convert string to float: ${reprText(text)}`);
  return float(Number(plain.replaceAll('_', '')));
}
