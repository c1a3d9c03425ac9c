/** Differences that the formats of an engine explain. */
import { isQuantisedKv } from '../plan/kv-dtype.js';
import type { Plan } from '../plan/plan.js';
import { isQuantised, type WeightFormat, weightBytes } from '../plan/weight-format.js';

/**
 * Differences after one layer that are about five times those of the checkpoints in models/ and oracle/ on a CPU: 1e-6 in f32,
 * 6e-4 in f16, 1e-2 in bf16, 2e-2 with weights of 8 bits. Errors of layers add up as noise does, with the root of their number.
 */
const DENSE = { f32: 1e-5, f16: 4e-3, bf16: 5e-2 } as const;
const EIGHT_BITS = 0.1;
const FEWER_BITS = 0.4;

/** Largest relative difference of the hidden states after a layer, counted from 0, that is no fault. */
export function toleranceAfter(layer: number, plan: Plan): number {
  const { kvDtype, activationDtype, weights } = plan;
  const cache = isQuantisedKv(kvDtype) ? EIGHT_BITS : DENSE[kvDtype];
  const formats = Object.values(weights).map(({ format }) => toleranceOf(format));
  return Math.max(DENSE[activationDtype], cache, ...formats) * Math.sqrt(layer + 1);
}

function toleranceOf(format: WeightFormat): number {
  if (!isQuantised(format)) return DENSE[format.dtype];
  const columns = 1024;
  const bits = Math.floor((weightBytes({ ...format, group: null }, 1, columns) * 8) / columns);
  return bits >= 8 ? EIGHT_BITS : FEWER_BITS;
}
