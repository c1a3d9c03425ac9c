/** The specification of linear, in scalar code. Kernels may change the order of f32 sums of dense and fp8 weights, never integers. */
import { e4m3ToFloat, floatToE4m3, floatToHalf, halfToFloat, roundHalfToEven } from '../../core/dtype.js';
import { groupsOf, type QuantisedFormat } from '../../plan/weight-format.js';
import { rowOf, zeroMatrix, type Matrix } from '../matrix.js';

/** One output channel's 8-bit weights: values = quantised * scale. */
export interface QuantisedRow {
  readonly quantised: Int8Array;
  readonly scale: number;
}

/** One output channel's E4M3 weights: values = number * scale. */
export interface Fp8Row {
  readonly codes: Uint8Array;
  readonly scale: number;
}

/** One output channel's 4-bit weights in groups of inputs: value i = (codes[i] - zeros[g]) * scales[g], g = floor(i / group). */
export interface GroupedRow {
  readonly group: number;
  readonly codes: Int8Array;
  /** Values of an f16. */
  readonly scales: Float32Array;
  /** All zero in a format without zeros. */
  readonly zeros: Uint8Array;
}

/** One token's 16-bit activations. */
interface QuantisedToken {
  readonly quantised: Int16Array;
  readonly scale: number;
}

/** Largest quantised activation by its bits. Of 16: 127 * 256 + 127, so that q = 256 * high + low with two signed bytes. */
const MAX_ACTIVATION = { 8: 127, 16: 32639 } as const;
type InputBits = keyof typeof MAX_ACTIVATION;

const LARGEST_E4M3 = 448;

const SMALLEST_MAXIMUM = 1e-30; // the inverse of a smaller one is not finite in f32

function largestMagnitude(values: Float32Array): number {
  return values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}

/**
 * Symmetric per output channel: scale = max|w| / 127, q = round(w / scale). As in TensorRT-LLM's weight-only quantisation,
 * except that it divides by 128 and clips the maximum itself; with 127 the largest weight of a row is exact and -128 unused.
 */
export function quantiseRow(row: Float32Array): QuantisedRow {
  const largest = largestMagnitude(row);
  if (largest < SMALLEST_MAXIMUM) return { quantised: new Int8Array(row.length), scale: 0 };
  const inverse = Math.fround(127 / largest);
  const clamp = (q: number): number => Math.max(-127, Math.min(127, q));
  const quantised = Int8Array.from(row, (value) => clamp(roundHalfToEven(Math.fround(value * inverse))));
  return { quantised, scale: Math.fround(largest / 127) };
}

/** Symmetric per output channel: scale = max|w| / 448, code = w / scale rounded to E4M3. */
export function quantiseFp8Row(row: Float32Array): Fp8Row {
  const largest = largestMagnitude(row);
  if (largest < SMALLEST_MAXIMUM) return { codes: new Uint8Array(row.length), scale: 0 };
  const inverse = Math.fround(LARGEST_E4M3 / largest);
  const codes = Uint8Array.from(row, (value) => floatToE4m3(Math.fround(value * inverse)));
  return { codes, scale: Math.fround(largest / LARGEST_E4M3) };
}

/** The values that a row of E4M3 stands for. */
export function restoreFp8({ codes, scale }: Fp8Row): Float32Array {
  return Float32Array.from(codes, (code) => e4m3ToFloat(code) * scale);
}

/** Magnitudes of the code that a group's largest value is to have, without zeros. */
const EXTREMES = [8, 7, 7.5, 8.5, 9, 9.5, 10, 10.5];
/** Shares of a group's range that codes divide, with zeros. */
const SHARES = [1, 0.95, 0.9, 0.85, 0.8, 0.75].map(Math.fround);

/** A way to round a group: code = value / scale + zero. */
interface Rounding {
  readonly scale: number;
  readonly zero: number;
}

/**
 * int4 in groups: of some scales the one with the least squared error, the first of equals. Without zeros, the value of largest
 * magnitude (the positive one of two) becomes -8, so that its scale may be negative, or is cut where it would be more. With
 * zeros, the range of the group, widened to hold 0, or its inner part is divided into 15 steps. Codes are rounded by the
 * scale as stored.
 */
export function quantiseGroups(row: Float32Array, format: QuantisedFormat): GroupedRow {
  const [group, count] = [format.group ?? row.length, groupsOf(format, row.length)];
  const grouped = {
    group,
    codes: new Int8Array(row.length),
    scales: new Float32Array(count),
    zeros: new Uint8Array(count),
  };
  for (let g = 0; g < count; g++) {
    const values = row.subarray(g * group, (g + 1) * group);
    let least = Infinity;
    for (const rounding of roundingsOf(values, format.hasZeros)) {
      const codes = codesOf(values, rounding, format.hasZeros);
      const error = squaredError(values, codes, rounding);
      if (!(error < least)) continue;
      least = error;
      grouped.scales[g] = rounding.scale;
      grouped.zeros[g] = rounding.zero;
      grouped.codes.set(codes, g * group);
    }
  }
  return grouped;
}

function roundingsOf(values: Float32Array, hasZeros: boolean): Rounding[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (!hasZeros)
    return EXTREMES.map((extreme) => ({
      scale: roundToHalf((-low > high ? low : high) / -extreme),
      zero: 0,
    }));
  const [below, above] = [Math.min(low, 0), Math.max(high, 0)];
  const range = Math.fround(above - below);
  return SHARES.map((share) => {
    const scale = roundToHalf(Math.fround(Math.fround(range * share) / 15));
    const zero = codesOf(Float32Array.of(-below * share), { scale, zero: 0 }, true)[0]!;
    return { scale, zero };
  });
}

function codesOf(values: Float32Array, { scale, zero }: Rounding, hasZeros: boolean): Int8Array {
  const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
  const lowest = hasZeros ? 0 : -8;
  return Int8Array.from(values, (value) => {
    const code = roundHalfToEven(Math.fround(value * inverse)) + zero;
    return Math.max(lowest, Math.min(lowest + 15, code));
  });
}

/** In f32: sixteen sums, of which halves are added until one is left, as vector code does it. */
function squaredError(values: Float32Array, codes: Int8Array, { scale, zero }: Rounding): number {
  const sums = new Float32Array(16);
  for (const [i, value] of values.entries()) {
    const error = Math.fround(value - Math.fround((codes[i]! - zero) * scale));
    sums[i % 16]! += Math.fround(error * error);
  }
  for (let width = 8; width >= 1; width /= 2) for (let i = 0; i < width; i++) sums[i]! += sums[i + width]!;
  return sums[0]!;
}

const roundToHalf = (value: number): number => halfToFloat(floatToHalf(value));

/** The values that a row in groups stands for. */
export function restoreGroups({ group, codes, scales, zeros }: GroupedRow): Float32Array {
  return Float32Array.from(codes, (code, i) => {
    const g = Math.floor(i / group);
    return (code - zeros[g]!) * scales[g]!;
  });
}

/**
 * Activations for quantised weights, one scale per token. 16 bits if nothing else is asked for, because 8 add as much error as
 * the weights have and far more in tokens with outliers; two 8-bit products cost nothing where weights come from memory.
 */
function quantiseToken(x: Float32Array, bits: InputBits = 16): QuantisedToken {
  const largest = largestMagnitude(x);
  if (largest < SMALLEST_MAXIMUM) return { quantised: new Int16Array(x.length), scale: 0 };
  const most = MAX_ACTIVATION[bits];
  const inverse = Math.fround(most / largest);
  const quantised = Int16Array.from(x, (value) => roundHalfToEven(Math.fround(value * inverse)));
  return { quantised, scale: Math.fround(largest / most) };
}

/** x [tokens, in], weight [out, in], bias [out] -> [tokens, out], summed in double precision. */
export function linearReference(x: Matrix, weight: Matrix, bias?: Float32Array): Matrix {
  const out = zeroMatrix(x.rowCount, weight.rowCount);
  for (let t = 0; t < x.rowCount; t++) {
    const token = rowOf(x, t);
    for (let o = 0; o < weight.rowCount; o++) {
      const row = rowOf(weight, o);
      let sum = 0;
      for (let i = 0; i < row.length; i++) sum += token[i]! * row[i]!;
      out.data[t * weight.rowCount + o] = sum + (bias?.[o] ?? 0);
    }
  }
  return out;
}

/**
 * The same with int8 weights as the CPU computes it: the dot product of the integers is exact, is rounded to f32 once,
 * and is then multiplied by the token's and the channel's scale, each product rounded to f32. Kernels equal it bit by bit.
 */
export function linearInt8Reference(
  x: Matrix,
  weight: readonly QuantisedRow[],
  bias?: Float32Array,
  inputBits?: InputBits,
): Matrix {
  const out = zeroMatrix(x.rowCount, weight.length);
  for (let t = 0; t < x.rowCount; t++) {
    const token = quantiseToken(rowOf(x, t), inputBits);
    for (const [o, row] of weight.entries()) {
      let sum = 0; // below 2^53 for rows up to MAX_QUANTISED_INPUTS, so exact
      for (let i = 0; i < row.quantised.length; i++) sum += token.quantised[i]! * row.quantised[i]!;
      const scaled = Math.fround(Math.fround(Math.fround(sum) * token.scale) * row.scale);
      out.data[t * weight.length + o] = bias === undefined ? scaled : scaled + bias[o]!;
    }
  }
  return out;
}

/**
 * The same with int4 weights in groups: the dot product of the integers of a group is exact, is rounded to f32 once and
 * multiplied by the group's scale; these products are added in the order of the groups, and the sum is multiplied by the
 * token's scale. Each result is rounded to f32. Kernels equal it bit by bit.
 */
export function linearGroupedReference(
  x: Matrix,
  weight: readonly GroupedRow[],
  bias?: Float32Array,
): Matrix {
  const out = zeroMatrix(x.rowCount, weight.length);
  for (let t = 0; t < x.rowCount; t++) {
    const token = quantiseToken(rowOf(x, t));
    for (const [o, row] of weight.entries()) {
      let sum = 0;
      for (const [g, scale] of row.scales.entries()) {
        const product = Math.fround(Math.fround(groupDot(token, row, g)) * scale);
        sum = Math.fround(sum + product);
      }
      const scaled = Math.fround(sum * token.scale);
      out.data[t * weight.length + o] = bias === undefined ? scaled : scaled + bias[o]!;
    }
  }
  return out;
}

/**
 * The same with fp8 weights as the vector levels of the CPU compute it, bit by bit: f32 multiply-adds, each rounded once, over the
 * inputs in order; the sum is multiplied by the channel's scale. Inputs are taken as they are: floats of 4 bits need no integers.
 */
export function linearFp8Reference(x: Matrix, weight: readonly Fp8Row[], bias?: Float32Array): Matrix {
  const out = zeroMatrix(x.rowCount, weight.length);
  for (const [o, { codes, scale }] of weight.entries()) {
    const numbers = Float32Array.from(codes, e4m3ToFloat);
    for (let t = 0; t < x.rowCount; t++) {
      const token = rowOf(x, t);
      let sum = 0;
      for (let i = 0; i < numbers.length; i++) sum = multiplyAdd(token[i]!, numbers[i]!, sum);
      const scaled = Math.fround(sum * scale);
      out.data[t * weight.length + o] = bias === undefined ? scaled : scaled + bias[o]!;
    }
  }
  return out;
}

const wide = new DataView(new ArrayBuffer(8));
/** Bits of a double that an f32 does not have, and their value halfway between two f32. */
const REST_BITS = 0x1fffffff;
const HALFWAY = 0x10000000;

/** f32 a * b + c, rounded once. The product is exact in a double; its sum is rounded twice, which matters halfway alone. */
function multiplyAdd(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const part = sum - product;
  const lost = product - (sum - part) + (c - part);
  if (lost === 0) return Math.fround(sum);
  wide.setFloat64(0, sum);
  const isHalfway = (wide.getUint32(4) & REST_BITS) === HALFWAY;
  return Math.fround(isHalfway ? sum + Math.sign(lost) * Math.abs(sum) * 2 ** -52 : sum);
}

function groupDot(token: QuantisedToken, { group, codes, zeros }: GroupedRow, g: number): number {
  const end = Math.min(codes.length, (g + 1) * group);
  let dot = 0;
  for (let i = g * group; i < end; i++) dot += token.quantised[i]! * (codes[i]! - zeros[g]!);
  return dot;
}
