/**
 * Linear: out[t][o] = bias[o] + sum over i of x[t][i] * W[o][i], with activations and results in f32 on the CPU.
 * x [tokens, in], W [out, in], bias [out] or none, out [tokens, out].
 * As int8, W[o][i] = q[o][i] * scale[o] with q in [-127, 127]; as fp8, the same with q an E4M3 number; as int4, see
 * QuantisedFormat.
 */
import type { WeightElement } from '../../plan/weight-format.js';

/**
 * Largest |result - reference| over the largest |reference| of a random problem, where the reference sums the products
 * of the stored weights with unrounded activations in double precision. Integer weights pay for activations in 16 bits.
 */
export const LINEAR_TOLERANCE: Readonly<Record<WeightElement, number>> = {
  f32: 1e-5,
  f16: 2e-5,
  bf16: 2e-5,
  int8: 1e-4,
  int4: 1e-4,
  fp8: 2e-5,
};

/** Longest row of a quantised weight: dot products of int8 of bytes with the offset of 128 still fit into 32 bits. */
export const MAX_QUANTISED_INPUTS = 65536;
