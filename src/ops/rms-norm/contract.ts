/**
 * RMSNorm: out = x / sqrt(mean(x²) + epsilon) * weight per row; with a delta, x += delta in place first.
 * x, delta, out [rows, columns], weight [columns] f32. Statistics are in f32 whatever the activations are.
 */

/** Largest error in f32, relative to the largest output. */
export const RMS_NORM_TOLERANCE = 1e-6;
