/**
 * Rotary embedding and cache append: rotates q and k of qkv [tokens, (heads + 2 kvHeads) * headDim] in place, dimension i with
 * dimension i + headDim / 2, and stores k and v of each token at its position in the paged cache of one layer.
 * Angles come from tables made in f64 (rotation.ts).
 */

/** Largest error in f32, relative to the largest value of qkv. */
export const ROPE_TOLERANCE = 1e-6;
