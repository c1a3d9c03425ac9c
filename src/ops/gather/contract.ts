/** Gather: out[i] = x[rows[i]], x [any, columns], rows [count] i32, out [count, columns]. Copies bits. */
import type { OpCost } from '../cost.js';

/** @param elementBytes of activations */
export function gatherCost(count: number, columns: number, elementBytes: number): OpCost {
  return { bytes: count * (2 * columns * elementBytes + 4), flops: 0 };
}
