/**
 * Rotary embedding and cache append: rotates q and k of qkv [tokens, (heads + 2 kvHeads) * headDim] in place, dimension i with
 * dimension i + headDim / 2, and stores k and v of each token at its position in the paged cache of one layer.
 * Angles come from tables made in f64 (rotation.ts).
 */
import type { PlanDims } from '../../plan/plan.js';
import type { OpCost } from '../cost.js';

/** Largest error in f32, relative to the largest value of qkv. */
export const ROPE_TOLERANCE = 1e-6;

/** @param bytes of an activation and of an element of the cache */
export function ropeAppendCost(
  tokenCount: number,
  { headCount, kvHeadCount, headDim }: PlanDims,
  bytes: { readonly activation: number; readonly cache: number },
): OpCost {
  const rotated = tokenCount * (headCount + kvHeadCount) * headDim;
  const stored = tokenCount * 2 * kvHeadCount * headDim;
  const valuesRead = tokenCount * kvHeadCount * headDim;
  return {
    bytes: (2 * rotated + valuesRead) * bytes.activation + stored * bytes.cache,
    flops: 3 * rotated,
  };
}
