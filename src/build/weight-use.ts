import type { WeightUse } from '../device/weight-layout.js';
import type { Plan, WeightName } from '../plan/plan.js';

/** What each weight of a plan is used as, read off the ops. */
export function weightUses(plan: Plan): ReadonlyMap<WeightName, WeightUse> {
  const uses = new Map<WeightName, WeightUse>();
  for (const op of plan.ops) {
    switch (op.kind) {
      case 'embedding':
        uses.set(op.table, 'table');
        break;
      case 'rmsNorm':
      case 'addRmsNorm':
        uses.set(op.weight, 'vector');
        break;
      case 'linear':
        uses.set(op.weight, 'linear');
        if (op.bias !== null) uses.set(op.bias, 'vector');
        break;
      default:
    }
  }
  return uses;
}
