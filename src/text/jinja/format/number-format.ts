/** Parts that `%` and `format` have in common: digits with signs, prefixes, groups and padding. */
import type { Rendering } from '../values/callable.js';
import { fixed, positional, scientific, significant } from '../values/float-text.js';
import { reprInteger } from '../values/printing.js';
import { textLength } from '../values/text.js';

export interface NumberStyle {
  /** '-' only for negative numbers, '+' or ' ' for the others. */
  readonly sign: string;
  /** Prefixes of bases, points without digits after them. */
  readonly isAlternate: boolean;
}

export function signOf(isNegative: boolean, style: NumberStyle): string {
  if (isNegative) return '-';
  return style.sign === '-' ? '' : style.sign;
}

const BASES: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16, X: 16, d: 10 };

/** Digits of an integer's magnitude in the base of a type letter, and their prefix. */
export function integerDigits(magnitude: bigint, letter: string): { digits: string; prefix: string } {
  const base = BASES[letter] ?? 10;
  const digits = base === 10 ? reprInteger(magnitude) : magnitude.toString(base);
  return {
    digits: letter === 'X' ? digits.toUpperCase() : digits,
    prefix: letter in BASES && letter !== 'd' ? `0${letter}` : '',
  };
}

/** The magnitude of a float by a letter of `efgEFG`. */
export function floatDigits(value: number, letter: string, precision: number, isAlternate: boolean): string {
  const lower = letter.toLowerCase();
  const text = Number.isFinite(value)
    ? finiteDigits(value, lower, precision, isAlternate)
    : Number.isNaN(value)
      ? 'nan'
      : 'inf';
  return letter === lower ? text : text.toUpperCase();
}

function finiteDigits(value: number, letter: string, precision: number, isAlternate: boolean): string {
  if (letter === 'f') return fixed(value, precision) + (isAlternate && precision === 0 ? '.' : '');
  if (letter === 'e') {
    const text = scientific(significant(value, precision + 1), 'e');
    return isAlternate && precision === 0 ? text.replace('e', '.e') : text;
  }
  return generalDigits(value, Math.max(precision, 1), isAlternate);
}

/** The shorter of fixed and scientific, without zeros at the end. */
function generalDigits(value: number, precision: number, isAlternate: boolean): string {
  const { digits, exponent } = significant(value, precision);
  const kept = isAlternate ? digits : trimZeros(digits);
  const text =
    exponent < -4 || exponent >= precision
      ? scientific({ digits: kept, exponent }, 'e')
      : positional({ digits: kept, exponent });
  return isAlternate && !text.includes('.') ? `${text}.` : text;
}

export function trimZeros(digits: string): string {
  let end = digits.length;
  while (end > 1 && digits[end - 1] === '0') end--;
  return digits.slice(0, end);
}

/** Puts a separator between groups of digits, from the right. */
export function grouped(digits: string, size: number, separator: string): string {
  const groups: string[] = [];
  for (let end = digits.length; end > 0; end -= size)
    groups.unshift(digits.slice(Math.max(0, end - size), end));
  return groups.join(separator);
}

export type Alignment = '<' | '>' | '^';

export function pad(
  rendering: Rendering,
  text: string,
  width: number,
  { align, fill }: { readonly align: Alignment; readonly fill: string },
): string {
  const missing = width - textLength(text);
  if (missing <= 0) return text;
  rendering.make(width * fill.length);
  const before = align === '<' ? 0 : align === '>' ? missing : missing >> 1;
  return fill.repeat(before) + text + fill.repeat(missing - before);
}
