/**
 * GeGLU: out = gelu(gate) * up with gelu(x) = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x³))), gateUp [rows, 2 * inter]
 * with gate in the first half, out [rows, inter]. Gates of any size give finite results for finite `up`; NaN stays NaN.
 */

/** Largest error in f32, relative to the largest output. */
export const GEGLU_TOLERANCE = 1e-6;
