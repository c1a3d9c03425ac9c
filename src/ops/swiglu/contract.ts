/**
 * SwiGLU: out = gate / (1 + exp(-gate)) * up, gateUp [rows, 2 * inter] with gate in the first half, out [rows, inter].
 * Gates of any size give finite results for finite `up`; NaN stays NaN.
 */

/** Largest error in f32, relative to the largest output. */
export const SWIGLU_TOLERANCE = 1e-6;
