/**
 * Mixture of experts. Route: the experts of a token are those of the largest logits, the lower number first where two are
 * equal, listed in ascending order with their shares of the softmax over all experts, divided by the sum of the listed shares
 * where the model normalises. Each expert is a gated network of its own: silu(x · gateᵀ) * (x · upᵀ), then · downᵀ; a token's
 * result is the sum of its experts' by their shares, in ascending order.
 *
 * On a CPU a token's result has the same bits whatever else is in the batch.
 */

/** Largest error of shares in f32. */
export const ROUTE_TOLERANCE = 1e-6;
