/** Floats as text: the shortest digits that read back as the same number, or a number of digits rounded exactly. */
import { exactRatio } from './numbers.js';

/** Digits of a positive number d1 d2 ... and its exponent: d1.d2... times 10 to the exponent. */
export interface Digits {
  readonly digits: string;
  readonly exponent: number;
}

const absent = (value: number): string | undefined =>
  Number.isNaN(value) ? 'nan' : Number.isFinite(value) ? undefined : value < 0 ? '-inf' : 'inf';

const isNegative = (value: number): boolean => value < 0 || Object.is(value, -0);

/** `repr(value)` */
export function reprFloat(value: number): string {
  const text = absent(value);
  if (text !== undefined) return text;
  const sign = isNegative(value) ? '-' : '';
  const { digits, exponent } = shortestDigits(Math.abs(value));
  if (exponent < -4 || exponent >= 16) return sign + scientific({ digits, exponent }, 'e');
  const plain = positional({ digits, exponent });
  return sign + (plain.includes('.') ? plain : `${plain}.0`);
}

function shortestDigits(value: number): Digits {
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  return { digits: mantissa.replace('.', ''), exponent: Number(exponent) };
}

/** d1.d2...e+05 */
export function scientific({ digits, exponent }: Digits, letter: string): string {
  const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
  const magnitude = String(Math.abs(exponent)).padStart(2, '0');
  return `${mantissa}${letter}${exponent < 0 ? '-' : '+'}${magnitude}`;
}

/** The digits without an exponent. */
export function positional({ digits, exponent }: Digits): string {
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  if (exponent + 1 >= digits.length) return digits + '0'.repeat(exponent + 1 - digits.length);
  return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/** No float has more digits than this after the point, or from its first digit to its last. */
const MAX_DIGITS = 1100;

/** The magnitude of a finite number with `places` digits after the point, half to even on its exact value. */
export function fixed(value: number, places: number): string {
  if (places > MAX_DIGITS) return fixed(value, MAX_DIGITS) + '0'.repeat(places - MAX_DIGITS);
  const { numerator, denominator } = exactRatio(Math.abs(value));
  const scaled = roundedQuotient(numerator * 10n ** BigInt(places), denominator).toString();
  if (places === 0) return scaled;
  const padded = scaled.padStart(places + 1, '0');
  return `${padded.slice(0, -places)}.${padded.slice(-places)}`;
}

/** The magnitude of a finite number with `count` digits in all. */
export function significant(value: number, count: number): Digits {
  const magnitude = Math.abs(value);
  if (magnitude === 0) return { digits: '0'.repeat(count), exponent: 0 };
  if (count > MAX_DIGITS) {
    const { digits, exponent } = significant(value, MAX_DIGITS);
    return { digits: digits.padEnd(count, '0'), exponent };
  }
  const { numerator, denominator } = exactRatio(magnitude);
  let { exponent } = shortestDigits(magnitude);
  for (;;) {
    const shift = count - 1 - exponent;
    const [up, down] = shift >= 0 ? [10n ** BigInt(shift), 1n] : [1n, 10n ** BigInt(-shift)];
    const digits = roundedQuotient(numerator * up, denominator * down).toString();
    if (digits.length === count) return { digits, exponent };
    exponent += digits.length > count ? 1 : -1;
  }
}

/** Half to even. */
export function roundedQuotient(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  const isUp = twice > denominator || (twice === denominator && quotient % 2n === 1n);
  return isUp ? quotient + 1n : quotient;
}

/** `round(value, places)`: the decimal number nearest to the exact value, as a float again. */
export function roundFloat(value: number, places: number): number {
  if (!Number.isFinite(value) || places > 400) return value;
  if (places < -400) return isNegative(value) ? -0 : 0;
  const sign = isNegative(value) ? '-' : '';
  if (places >= 0) return Number(sign + fixed(value, places));
  const { numerator, denominator } = exactRatio(Math.abs(value));
  const rounded = roundedQuotient(numerator, denominator * 10n ** BigInt(-places));
  return Number(`${sign}${rounded}e${-places}`);
}
