import type { Plan, PlanWeight, WeightName } from '../../plan/plan.js';
import { INT8_PER_CHANNEL } from '../../plan/weight-format.js';

/** Parts of a model that can be stored as INT8. TensorRT-LLM's weight-only quantisation takes `layers` alone. */
export type Int8Part = 'layers' | 'lm_head' | 'embedding';

/** Stores the matrices of the named parts as INT8 with one scale per output channel (per row for the embedding). */
export function quantiseInt8(plan: Plan, parts: ReadonlySet<Int8Part>): Plan {
  const chosen = new Set<WeightName>();
  for (const op of plan.ops) {
    if (op.kind === 'linear' && parts.has(op.outDtype === 'f32' ? 'lm_head' : 'layers'))
      chosen.add(op.weight);
    if (op.kind === 'embedding' && parts.has('embedding')) chosen.add(op.table);
  }
  const weights = Object.entries(plan.weights).map(([name, weight]): [WeightName, PlanWeight] => [
    name,
    chosen.has(name) ? { ...weight, format: INT8_PER_CHANNEL } : weight,
  ]);
  return { ...plan, weights: Object.fromEntries(weights) };
}
