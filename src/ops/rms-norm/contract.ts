/**
 * RMSNorm: out = x / sqrt(mean(x²) + epsilon) * weight per row; with a delta, x += delta in place first.
 * x, delta, out [rows, columns], weight [columns] f32. Statistics are in f32 whatever the activations are.
 */
import type { OpCost } from '../cost.js';

/** Largest error in f32, relative to the largest output. */
export const RMS_NORM_TOLERANCE = 1e-6;

export interface RmsNormProblem {
  readonly rowCount: number;
  readonly columnCount: number;
  readonly hasDelta: boolean;
  /** Of activations. */
  readonly elementBytes: number;
}

export function rmsNormCost({ rowCount, columnCount, hasDelta, elementBytes }: RmsNormProblem): OpCost {
  const passes = hasDelta ? 4 : 2; // x and delta in, x and out back; or x in and out back
  const count = rowCount * columnCount;
  return { bytes: passes * count * elementBytes + 4 * columnCount, flops: (hasDelta ? 5 : 4) * count };
}
