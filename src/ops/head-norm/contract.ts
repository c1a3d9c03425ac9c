/**
 * Head norm: each of the query and key heads of qkv [tokens, (heads + 2 kvHeads) * headDim] becomes its RMSNorm, in place,
 * with a weight [headDim] for all query heads and another for all key heads. Values stay as they are.
 */

/** Largest error in f32, relative to the largest result. */
export const HEAD_NORM_TOLERANCE = 1e-6;
