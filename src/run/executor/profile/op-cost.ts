/** Cost of each op of a step on a device. Pure. */
import type { StepInput } from '../../../core/step.js';
import { sampleCost } from '../../../ops/sample/contract.js';
import type { InferredPlan } from '../../../plan/infer.js';
import { definitionOf } from '../../../plan/ops/index.js';
import type { ElementBytes, OpCost } from '../../../plan/ops/op-cost.js';
import type { BufferName, Plan } from '../../../plan/plan.js';

/** A plan on a device. */
export interface CostModel {
  readonly plan: Plan;
  readonly inferred: InferredPlan;
  readonly bytes: ElementBytes;
}

const NOTHING: OpCost = { bytes: 0, flops: 0 };

/** @param index of the op; the number of ops for sampling */
export function opCost({ plan, inferred, bytes }: CostModel, index: number, step: StepInput): OpCost {
  const { dims, weights } = plan;
  const op = plan.ops[index];
  if (op === undefined) return sampleCost(step.logitCount, dims.vocabulary);
  const value = (name: BufferName) => inferred.operands[index]!.get(name)!;
  const cost = definitionOf(op).cost?.(op, {
    dims,
    step,
    bytes,
    rows: (name) => (value(name).rows === 'tokens' ? step.tokenCount : step.logitCount),
    columns: (name) => value(name).columns,
    weight: (name) => weights[name]!,
  });
  return cost ?? NOTHING;
}
