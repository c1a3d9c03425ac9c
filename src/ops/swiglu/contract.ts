/**
 * SwiGLU: out = gate / (1 + exp(-gate)) * up, gateUp [rows, 2 * inter] with gate in the first half, out [rows, inter].
 * Gates of any size give finite results for finite `up`; NaN stays NaN.
 */
import type { OpCost } from '../cost.js';

/** Largest error in f32, relative to the largest output. */
export const SWIGLU_TOLERANCE = 1e-6;

/** @param elementBytes of activations. An exponential counts as ten operations. */
export function swigluCost(rowCount: number, inter: number, elementBytes: number): OpCost {
  return { bytes: 3 * rowCount * inter * elementBytes, flops: 14 * rowCount * inter };
}
