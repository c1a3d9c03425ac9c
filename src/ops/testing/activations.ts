/** Numbers as a GPU's activations hold them, for comparisons of its kernels with references in f32. */
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat } from '../../core/dtype.js';
import type { CudaDtype } from '../cuda/dtype.js';

interface Activation {
  readonly encode: (value: number) => number;
  readonly decode: (bits: number) => number;
  /** Bits of the fraction. */
  readonly fractionBits: number;
  /** Exponent of the smallest normal number. */
  readonly smallestExponent: number;
}

const ACTIVATIONS: Readonly<Record<CudaDtype, Activation>> = {
  f16: { encode: floatToHalf, decode: halfToFloat, fractionBits: 10, smallestExponent: -14 },
  bf16: { encode: floatToBfloat16, decode: bfloat16ToFloat, fractionBits: 7, smallestExponent: -126 },
};

export const CUDA_DTYPES = Object.keys(ACTIVATIONS) as readonly CudaDtype[];

/** Largest error of rounding a number to an activation, as a share of the number. */
export const roundoff = (dtype: CudaDtype): number => 2 ** -(ACTIVATIONS[dtype].fractionBits + 1);

export function encodeActivations(values: ArrayLike<number>, dtype: CudaDtype): Uint16Array {
  return Uint16Array.from(values, ACTIVATIONS[dtype].encode);
}

export function decodeActivations(bits: ArrayLike<number>, dtype: CudaDtype): Float32Array {
  return Float32Array.from(bits, ACTIVATIONS[dtype].decode);
}

/** The values as activations hold them. */
export function roundActivations(values: ArrayLike<number>, dtype: CudaDtype): Float32Array {
  return decodeActivations(encodeActivations(values, dtype), dtype);
}

/**
 * Largest distance of activations from unrounded values, in units of the last place of each value: 0.5 for what is rounded
 * once and right. Infinite where only one of a pair is a number.
 */
export function largestUlps(actual: Float32Array, expected: Float32Array, dtype: CudaDtype): number {
  const { fractionBits, smallestExponent } = ACTIVATIONS[dtype];
  if (actual.length !== expected.length) return Infinity;
  let largest = 0;
  for (const [i, value] of expected.entries()) {
    if (Number.isNaN(value) && Number.isNaN(actual[i]!)) continue;
    const exponent = Math.max(smallestExponent, Math.floor(Math.log2(Math.abs(value))));
    const distance = Math.abs(actual[i]! - value) / 2 ** (exponent - fractionBits);
    if (!(distance <= largest)) largest = Number.isNaN(distance) ? Infinity : distance;
  }
  return largest;
}
