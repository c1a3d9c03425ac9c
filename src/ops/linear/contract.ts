/**
 * Linear: out[t][o] = bias[o] + sum over i of x[t][i] * W[o][i], with activations and results in f32 on the CPU.
 * x [tokens, in], W [out, in], bias [out] or none, out [tokens, out].
 */
import { type WeightElement, type WeightFormat, weightBytes } from '../../plan/weight-format.js';
import type { OpCost } from '../cost.js';

export interface LinearProblem {
  readonly tokenCount: number;
  readonly inCount: number;
  readonly outCount: number;
  /** How W is stored. int8: W[o][i] = q[o][i] * scale[o], q in [-127, 127]. */
  readonly format: WeightFormat;
  /** Bytes of a number of x and out; default 4, as on the CPU. */
  readonly activationBytes?: number;
}

/**
 * Largest |result - reference| over the largest |reference| of a random problem, where the reference sums the products
 * of the stored weights with unrounded activations in double precision. int8 pays for activations in 16 bits.
 */
export const LINEAR_TOLERANCE: Readonly<Record<WeightElement, number>> = {
  f32: 1e-5,
  f16: 2e-5,
  bf16: 2e-5,
  int8: 1e-4,
};

/** Longest row of an int8 weight: dot products of bytes with the offset of 128 still fit into 32 bits. */
export const MAX_INT8_INPUTS = 65536;

/** What a call must move and compute at least. */
export function linearCost(problem: LinearProblem): OpCost {
  const { tokenCount, inCount, outCount, format, activationBytes: elementBytes = 4 } = problem;
  const activationBytes = tokenCount * (inCount + outCount) * elementBytes;
  const bytes = weightBytes(format, outCount, inCount) + activationBytes;
  return { bytes, flops: 2 * tokenCount * inCount * outCount };
}
