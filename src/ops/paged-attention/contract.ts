/**
 * Paged attention: for each token and query head, softmax(q · K / sqrt(headDim)) · V over positions 0 .. its own of one layer
 * of the paged cache; with a window w, over the last w of them. A soft cap c makes scores s of q · K / sqrt(headDim) into
 * c * tanh(s / c) first. Query head h reads key/value head floor(h * kvHeads / heads). Softmax and sums are in f32.
 *
 * A token's result has the same bits however its prompt was chunked, whatever else is in the batch, wherever its blocks lie
 * and however many threads work.
 */

/**
 * Largest error with activations in f32, relative to the largest output. With a cache of f16, a key whose rotation differs in
 * its last bit may round to the neighbouring number of the cache's type.
 */
export const PAGED_ATTENTION_TOLERANCE = { f32: 2e-6, f16: 1e-4, i8: 1e-3, f8e4m3: 1e-3 } as const;
