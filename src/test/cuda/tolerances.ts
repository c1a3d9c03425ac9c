/** By how much logits of a GPU may differ from the reference's, as a share of their largest magnitude. */

/** By the type of activations: they are rounded after every op. */
export const TOLERANCE = { f32: 0, f16: 5e-3, bf16: 4e-2 } as const;

/**
 * Allowed besides with a cache of 8 bits: keys and values that were rounded to 16 bits first may get the neighbouring code.
 * Storing in 8 bits itself changes these models' logits by 2.4e-2 (int8) and 9.4e-2 (fp8).
 */
export const CACHE_TOLERANCE = { i8: 1.5e-2, f8e4m3: 4e-2 } as const;

/** Allowed besides where inputs of linears are rounded to 8 bits: a reference that rounds all differs by 3.8e-2 (int8) and 1.4e-1 (fp8). */
export const INPUT_TOLERANCE = { int8: 6e-2, fp8: 2e-1 } as const;
