/** Add: residual += delta, both [rows, columns]. In f32 every implementation gives the same bits. */
import type { OpCost } from '../cost.js';

/** @param count elements @param elementBytes of activations */
export function addCost(count: number, elementBytes: number): OpCost {
  return { bytes: 3 * count * elementBytes, flops: count };
}
