/** Integers of any size and floats: how they are stored, converted and taken apart. */
import { PythonError } from '../python-error.js';
import { Float, Undefined, type Value } from './value.js';

/** A float as a value. */
export const float = (value: number): Value => (Number.isInteger(value) ? new Float(value) : value);

/** An integer as a value: a number where it is safe. */
export function integer(value: bigint): Value {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

export type Int = number | bigint;

/** A number or a truth value as an integer or float; undefined for other types. */
export type NumberParts =
  | { readonly isFloat: false; readonly value: Int }
  | { readonly isFloat: true; readonly value: number };

export function numberOf(value: Value): NumberParts | undefined {
  switch (typeof value) {
    case 'number':
      return Number.isInteger(value) ? { isFloat: false, value } : { isFloat: true, value };
    case 'bigint':
      return { isFloat: false, value };
    case 'boolean':
      return { isFloat: false, value: value ? 1 : 0 };
    default:
      return value instanceof Float ? { isFloat: true, value: value.value } : undefined;
  }
}

export const isNumber = (value: Value): boolean => numberOf(value) !== undefined;
export const isFloat = (value: Value): boolean => numberOf(value)?.isFloat === true;

/** An integer or a truth value as an integer; undefined for other types. */
export function intOf(value: Value): Int | undefined {
  const number = numberOf(value);
  return number === undefined || number.isFloat ? undefined : number.value;
}

/** An integer that JavaScript can count with; what is out of reach becomes the largest or smallest one. */
export function indexOf(value: Value): number | undefined {
  const int = intOf(value);
  if (typeof int !== 'bigint') return int;
  return int > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
}

/** An integer as a float. @throws {PythonError} OverflowError */
export function toFloat(value: Int): number {
  const result = Number(value);
  if (!Number.isFinite(result)) throw new PythonError('OverflowError', 'int too large to convert to float');
  return result;
}

export const floatOf = ({ isFloat: alreadyFloat, value }: NumberParts): number =>
  alreadyFloat ? value : toFloat(value);

export function bitLength(value: Int): number {
  const magnitude = typeof value === 'bigint' ? (value < 0n ? -value : value) : BigInt(Math.abs(value));
  if (magnitude === 0n) return 0;
  const hex = magnitude.toString(16);
  return hex.length * 4 - Math.clz32(Number.parseInt(hex[0]!, 16)) + 28;
}

/** A float without its fraction. @throws {PythonError} when it is infinite or no number */
export function truncateFloat(value: number): Value {
  if (Number.isNaN(value)) throw new PythonError('ValueError', 'cannot convert float NaN to integer');
  if (!Number.isFinite(value))
    throw new PythonError('OverflowError', 'cannot convert float infinity to integer');
  return integer(BigInt(Math.trunc(value)));
}

/** The float as a fraction of integers, exactly. */
export function exactRatio(value: number): { readonly numerator: bigint; readonly denominator: bigint } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const high = bits.getUint32(0);
  const exponent = (high >>> 20) & 0x7ff;
  const fraction = (BigInt(high & 0xfffff) << 32n) | BigInt(bits.getUint32(4));
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n);
  const shift = Math.max(exponent, 1) - 1075;
  const numerator = value < 0 ? -mantissa : mantissa;
  return shift >= 0
    ? { numerator: numerator << BigInt(shift), denominator: 1n }
    : { numerator, denominator: 1n << BigInt(-shift) };
}

/** Refuses an undefined operand as its type does. */
export function refuseUndefined(...operands: readonly Value[]): void {
  for (const operand of operands) if (operand instanceof Undefined) operand.fail();
}
