/**
 * Soft cap: x = cap * tanh(x / cap) in place, f32. Results lie in -cap .. cap; NaN stays NaN.
 */

/** Largest error, relative to the cap. */
export const SOFT_CAP_TOLERANCE = 5e-7;
