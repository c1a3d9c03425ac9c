/** Operators of numbers, and those of strings and lists that share their signs. */
import { PythonError, typeError, unsupported } from '../python-error.js';
import type { Rendering } from './callable.js';
import {
  bitLength,
  float,
  floatOf,
  indexOf,
  type Int,
  integer,
  type NumberParts,
  numberOf,
  refuseUndefined,
} from './numbers.js';
import { isList, Markup, asText, Tuple, typeName, type Value } from './value.js';

type IntOperation = (rendering: Rendering, a: Int, b: Int) => Value;

export function subtract(rendering: Rendering, a: Value, b: Value): Value {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b;
    if (Number.isInteger(a) && Number.isInteger(b) && Number.isSafeInteger(difference)) return difference;
  }
  return compute(rendering, '-', a, b, {
    ints: (_, x, y) => integer(BigInt(x) - BigInt(y)),
    floats: (x, y) => x - y,
  });
}

export function addNumbers(rendering: Rendering, a: Value, b: Value): Value {
  return compute(rendering, '+', a, b, {
    ints: (_, x, y) => integer(BigInt(x) + BigInt(y)),
    floats: (x, y) => x + y,
  });
}

export function multiply(rendering: Rendering, a: Value, b: Value): Value {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    if (Number.isInteger(a) && Number.isInteger(b) && Number.isSafeInteger(product)) return product + 0;
  }
  const repeated = repeat(rendering, a, b) ?? repeat(rendering, b, a);
  if (repeated !== undefined) return repeated;
  const sequence = [a, b].find(isSequence);
  if (sequence !== undefined) {
    const times = sequence === a ? b : a;
    refuseUndefined(times);
    throw typeError(`can't multiply sequence by non-int of type '${typeName(times)}'`);
  }
  return compute(rendering, '*', a, b, { ints: multiplyInts, floats: (x, y) => x * y });
}

const isSequence = (value: Value): boolean =>
  asText(value) !== undefined || isList(value) || value instanceof Tuple;

const multiplyInts: IntOperation = (rendering, a, b) => {
  rendering.makeInteger(bitLength(a) + bitLength(b));
  return integer(BigInt(a) * BigInt(b));
};

/** A sequence times a number; undefined when the operands are others. */
function repeat(rendering: Rendering, sequence: Value, times: Value): Value | undefined {
  const count = indexOf(times);
  if (count === undefined) return undefined;
  const positive = Math.max(0, count);
  const text = asText(sequence);
  if (text !== undefined) {
    rendering.make(text.length * positive);
    const repeated = text === '' ? '' : text.repeat(positive);
    return typeof sequence === 'string' ? repeated : new Markup(repeated);
  }
  const items = isList(sequence) ? sequence : sequence instanceof Tuple ? sequence.items : undefined;
  if (items === undefined) return undefined;
  rendering.makeItems(items.length * positive);
  const repeated = items.length === 0 ? [] : Array.from({ length: positive }, () => items).flat();
  return isList(sequence) ? repeated : new Tuple(repeated);
}

export function divide(rendering: Rendering, a: Value, b: Value): Value {
  return compute(rendering, '/', a, b, {
    ints: (_, x, y) => {
      if (Number(y) === 0) throw new PythonError('ZeroDivisionError', 'division by zero');
      const quotient = Number(x) / Number(y);
      if (!Number.isFinite(quotient))
        throw new PythonError('OverflowError', 'integer division result too large for a float');
      return float(quotient);
    },
    floats: (x, y) => {
      if (y === 0) throw new PythonError('ZeroDivisionError', 'float division by zero');
      return x / y;
    },
  });
}

export function floorDivide(rendering: Rendering, a: Value, b: Value): Value {
  return compute(rendering, '//', a, b, {
    ints: (_, x, y) => {
      if (Number(y) === 0) throw new PythonError('ZeroDivisionError', 'integer division or modulo by zero');
      // The remainder and the difference are exact, so the quotient is, too.
      if (typeof x === 'number' && typeof y === 'number') return (x - moduloFloats(x, y)) / y + 0;
      const [n, d] = [BigInt(x), BigInt(y)];
      const isBelow = n % d !== 0n && n < 0n !== d < 0n;
      return integer(isBelow ? n / d - 1n : n / d);
    },
    floats: (x, y) => {
      if (y === 0) throw new PythonError('ZeroDivisionError', 'float floor division by zero');
      return floorDivideFloats(x, y);
    },
  });
}

function floorDivideFloats(a: number, b: number): number {
  const quotient = (a - moduloFloats(a, b)) / b;
  if (quotient === 0) return a < 0 !== b < 0 ? -0 : 0;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

/** The remainder with the sign of the divisor. */
function moduloFloats(a: number, b: number): number {
  const remainder = a % b;
  if (remainder === 0) return b < 0 ? -0 : 0;
  return remainder < 0 !== b < 0 ? remainder + b : remainder;
}

export function moduloNumbers(rendering: Rendering, a: Value, b: Value): Value {
  return compute(rendering, '%', a, b, {
    ints: (_, x, y) => {
      if (Number(y) === 0) throw new PythonError('ZeroDivisionError', 'integer modulo by zero');
      if (typeof x === 'number' && typeof y === 'number') return moduloFloats(x, y) + 0;
      const [n, d] = [BigInt(x), BigInt(y)];
      const remainder = n % d;
      return integer(remainder !== 0n && remainder < 0n !== d < 0n ? remainder + d : remainder);
    },
    floats: (x, y) => {
      if (y === 0) throw new PythonError('ZeroDivisionError', 'float modulo');
      return moduloFloats(x, y);
    },
  });
}

export function power(rendering: Rendering, a: Value, b: Value): Value {
  return compute(rendering, '** or pow()', a, b, { ints: powerOfInts, floats: powerOfFloats });
}

const powerOfInts: IntOperation = (rendering, base, exponent) => {
  if (exponent < 0) return float(powerOfFloats(Number(base), Number(exponent)));
  if (Number(exponent) === 0) return 1;
  const bits = bitLength(base);
  if (bits <= 1) return Number(base) === -1 && BigInt(exponent) % 2n === 0n ? 1 : base;
  const bitsOfBase = typeof base === 'number' ? Math.log2(Math.abs(base)) : bits;
  rendering.makeInteger(Math.ceil(bitsOfBase * Number(exponent)));
  return integer(BigInt(base) ** BigInt(exponent));
};

function powerOfFloats(base: number, exponent: number): number {
  if (base === 1 || exponent === 0) return 1;
  if (base === 0 && exponent < 0)
    throw new PythonError('ZeroDivisionError', '0.0 cannot be raised to a negative power');
  if (base === -1 && !Number.isFinite(exponent) && !Number.isNaN(exponent)) return 1;
  if (base < 0 && Number.isFinite(base) && Number.isFinite(exponent) && !Number.isInteger(exponent))
    throw unsupported('complex numbers');
  const result = base ** exponent;
  if (!Number.isFinite(result) && Number.isFinite(base) && Number.isFinite(exponent))
    throw new PythonError('OverflowError', "(34, 'Numerical result out of range')");
  return result;
}

interface Operation {
  readonly ints: IntOperation;
  readonly floats: (a: number, b: number) => number;
}

function compute(rendering: Rendering, sign: string, a: Value, b: Value, operation: Operation): Value {
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left === undefined || right === undefined) {
    refuseUndefined(a, b);
    throw typeError(`unsupported operand type(s) for ${sign}: '${typeName(a)}' and '${typeName(b)}'`);
  }
  if (!left.isFloat && !right.isFloat) {
    if (typeof left.value === 'bigint' || typeof right.value === 'bigint')
      rendering.spend((bitLength(left.value) + bitLength(right.value)) >>> 4);
    return operation.ints(rendering, left.value, right.value);
  }
  return float(operation.floats(floatOf(left), floatOf(right)));
}

export function negate(value: Value): Value {
  if (typeof value === 'number' && Number.isInteger(value)) return 0 - value;
  const number = unaryOperand('-', value);
  if (number.isFloat) return float(-number.value);
  return integer(-BigInt(number.value));
}

export function plus(value: Value): Value {
  const number = unaryOperand('+', value);
  return number.isFloat ? float(number.value) : number.value;
}

function unaryOperand(sign: string, value: Value): NumberParts {
  const number = numberOf(value);
  if (number !== undefined) return number;
  refuseUndefined(value);
  throw typeError(`bad operand type for unary ${sign}: '${typeName(value)}'`);
}
