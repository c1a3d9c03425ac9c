/** abs, int, float, round, filesizeformat */
import { PythonError, typeError, unsupported } from '../python-error.js';
import { native } from '../values/arguments.js';
import { divide, multiply, negate, power } from '../values/arithmetic.js';
import type { Functions, Rendering } from '../values/callable.js';
import { fixed, roundedQuotient, roundFloat } from '../values/float-text.js';
import { isTrue } from '../values/iterate.js';
import { exactRatio, float, floatOf, intOf, integer, numberOf, truncateFloat } from '../values/numbers.js';
import { asText, typeName, Undefined, type Value } from '../values/value.js';
import { parseFloatText, parseInteger } from './number-text.js';
import { wantIndex } from './text-methods.js';

const abs = native<[Value]>('abs', ['x'], (_, [value]) => {
  const number = numberOf(value);
  if (number === undefined) throw typeError(`bad operand type for abs(): '${typeName(value)}'`);
  if (number.isFloat) return float(Math.abs(number.value));
  return number.value < 0 ? negate(number.value) : number.value;
});

/** `int(value)` @throws {PythonError} */
function toInteger(value: Value, base: number): Value {
  const text = asText(value);
  if (text !== undefined) return parseInteger(text, base);
  const number = numberOf(value);
  if (number !== undefined) return number.isFloat ? truncateFloat(number.value) : number.value;
  if (value instanceof Undefined) value.fail();
  throw typeError(
    `int() argument must be a string, a bytes-like object or a real number, not '${typeName(value)}'`,
  );
}

/** `float(value)` @throws {PythonError} */
function toFloatValue(value: Value): Value {
  const text = asText(value);
  if (text !== undefined) return parseFloatText(text);
  const number = numberOf(value);
  if (number !== undefined) return float(floatOf(number));
  if (value instanceof Undefined) value.fail();
  throw typeError(`float() argument must be a string or a real number, not '${typeName(value)}'`);
}

/** The value of `run`, or of `otherwise` when Python raises an error of these types. */
function attempt(run: () => Value, types: readonly string[], otherwise: () => Value): Value {
  try {
    return run();
  } catch (error) {
    if (error instanceof PythonError && types.includes(error.type)) return otherwise();
    throw error;
  }
}

/** The value; the reading of its text, if it is one, is counted. */
function counted(rendering: Rendering, value: Value): Value {
  rendering.walk(asText(value)?.length ?? 0);
  return value;
}

const int = native<[Value, Value, Value]>(
  'int',
  ['value', ['default', 0], ['base', 10]],
  (rendering, [value, byDefault, base]) =>
    attempt(
      () => toInteger(counted(rendering, value), wantIndex(base)),
      ['TypeError', 'ValueError'],
      () =>
        attempt(
          () => toInteger(toFloatValue(value), 10),
          ['TypeError', 'ValueError', 'OverflowError'],
          () => byDefault,
        ),
    ),
);

const toFloatFilter = native<[Value, Value]>(
  'float',
  ['value', ['default', float(0)]],
  (rendering, [value, byDefault]) =>
    attempt(
      () => toFloatValue(counted(rendering, value)),
      ['TypeError', 'ValueError'],
      () => byDefault,
    ),
);

const round = native<[Value, Value, Value]>(
  'round',
  ['value', ['precision', 0], ['method', 'common']],
  (rendering, [value, precision, given]) => {
    const method = asText(given);
    if (method === 'common') return roundValue(value, precision);
    if (method !== 'ceil' && method !== 'floor')
      throw new PythonError('FilterArgumentError', 'method must be common, ceil or floor');
    const scale = power(rendering, 10, precision);
    return divide(rendering, toWhole(multiply(rendering, value, scale), method), scale);
  },
);

function toWhole(value: Value, method: 'ceil' | 'floor'): Value {
  const number = numberOf(value);
  if (number === undefined) throw typeError(`must be real number, not ${typeName(value)}`);
  return number.isFloat ? truncateFloat(Math[method](number.value)) : number.value;
}

/** `round(value, places)` */
function roundValue(value: Value, places: Value): Value {
  const number = numberOf(value);
  if (number === undefined) throw typeError(`type ${typeName(value)} doesn't define __round__ method`);
  if (places === null) return number.isFloat ? roundToInteger(number.value) : number.value;
  const count = wantIndex(places);
  if (number.isFloat) return float(roundFloat(number.value, count));
  return count >= 0 ? number.value : roundInteger(BigInt(number.value), -count);
}

function roundToInteger(value: number): Value {
  if (!Number.isFinite(value)) return truncateFloat(value);
  const { numerator, denominator } = exactRatio(Math.abs(value));
  const magnitude = roundedQuotient(numerator, denominator);
  return integer(value < 0 ? -magnitude : magnitude);
}

function roundInteger(value: bigint, zeros: number): Value {
  if (zeros > 20_000) return 0;
  const unit = 10n ** BigInt(zeros);
  const magnitude = roundedQuotient(value < 0n ? -value : value, unit) * unit;
  return integer(value < 0n ? -magnitude : magnitude);
}

const UNITS = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];

const filesizeformat = native<[Value, Value]>(
  'filesizeformat',
  ['value', ['binary', false]],
  (_, [value, isBinary]) => {
    const bytes = floatOf(numberOf(toFloatValue(value))!);
    const base = isTrue(isBinary) ? 1024 : 1000;
    if (bytes === 1) return '1 Byte';
    if (bytes < base) return `${sizeText(bytes)} Bytes`;
    for (const [i, letter] of UNITS.entries()) {
      const unit = base ** (i + 2);
      if (bytes >= unit && i + 1 < UNITS.length) continue;
      const name = isTrue(isBinary) ? `${letter.toUpperCase()}iB` : `${letter}B`;
      const amount = (base * bytes) / unit;
      return `${Number.isFinite(amount) ? fixed(amount, 1) : 'inf'} ${name}`;
    }
    throw unsupported('such sizes');
  },
);

const sizeText = (bytes: number): string => String(intOf(truncateFloat(bytes)));

export const NUMBER_FILTERS: Functions = new Map([
  ['abs', abs],
  ['filesizeformat', filesizeformat],
  ['float', toFloatFilter],
  ['int', int],
  ['round', round],
]);
