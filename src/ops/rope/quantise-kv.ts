import { e4m3ToFloat, floatToE4m3, roundHalfToEven } from '../../core/dtype.js';
import type { QuantisedKvDtype } from '../../plan/kv-dtype.js';

/** The number that the largest magnitude of a vector becomes. */
const LARGEST = { i8: 127, f8e4m3: 448 } as const;
/** Vectors without a larger element are stored as zeros: their scale has no inverse in f32. */
const SMALLEST = 2 ** -100;

/** One key or value of a token and head in 8 bits: element i is `numbers[i] * scale`. */
export interface QuantisedVector {
  /** Numbers that the codes stand for: whole ones, or those that E4M3 can hold. */
  readonly numbers: Float32Array;
  readonly scale: number;
}

/** @param vector [headDim] f32; every operation is rounded to f32 */
export function quantiseKv(vector: Float32Array, dtype: QuantisedKvDtype): QuantisedVector {
  const largest = vector.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const inverse = largest > SMALLEST ? Math.fround(LARGEST[dtype] / largest) : 0;
  const round = dtype === 'i8' ? roundHalfToEven : (value: number) => e4m3ToFloat(floatToE4m3(value));
  return {
    numbers: vector.map((value) => round(Math.fround(value * inverse))),
    scale: Math.fround(largest / LARGEST[dtype]),
  };
}

/** @returns [headDim] f32: what the cache gives back for a vector */
export function storedKv(vector: Float32Array, dtype: QuantisedKvDtype): Float32Array {
  const { numbers, scale } = quantiseKv(vector, dtype);
  return numbers.map((number) => number * scale);
}
