import { inferPlan, type PlanValue } from './infer.js';
import { readsOf } from './operands.js';
import type { BufferName, Plan, PlanOp, WeightName } from './plan.js';
import { formatText } from './weight-format.js';

/** A plan as text, one op a line with shapes: for people and for golden tests of passes. */
export function printPlan(plan: Plan): string {
  const { dims } = plan;
  const inferred = inferPlan(plan);
  const lines = plan.ops.map(
    (op, index) => `${String(index).padStart(4)}  ${opText(plan, op, inferred.operands[index]!)}`,
  );
  return [
    `${plan.architecture}, rank ${plan.rank} of ${plan.worldSize}, activations ${plan.activationDtype}, cache ${plan.kvDtype}`,
    `${dims.layerCount} layers, hidden ${dims.hidden}, ${dims.headCount} heads (${dims.kvHeadCount} key/value) of ${dims.headDim}, ` +
      `FFN ${dims.intermediate}, vocabulary ${dims.vocabulary}, positions ${dims.maxPositions}`,
    ...lines,
    `logits: ${plan.logits}`,
    '',
  ].join('\n');
}

function opText(plan: Plan, op: PlanOp, operands: ReadonlyMap<BufferName, PlanValue>): string {
  const buffer = (name: BufferName): string => {
    const value = operands.get(name)!;
    return `${name}[${value.rows}, ${value.columns}]`;
  };
  const weight = (name: WeightName): string => {
    const { shape, format } = plan.weights[name]!;
    return `${name}[${shape.join(', ')}] ${formatText(format)}`;
  };
  const inputs = readsOf(op).map(buffer).join(', ');
  switch (op.kind) {
    case 'embedding':
      return `${buffer(op.out)} = embedding(${weight(op.table)})`;
    case 'rmsNorm':
    case 'addRmsNorm':
      return `${buffer(op.out)} = ${op.kind}(${inputs}, ${weight(op.weight)}, epsilon ${op.epsilon})`;
    case 'linear': {
      const bias = op.bias === null ? '' : `, bias ${op.bias}`;
      return `${buffer(op.out)} ${op.outDtype} = linear(${inputs}, ${weight(op.weight)}${bias})`;
    }
    case 'ropeAppend':
      return `ropeAppend(${inputs}, layer ${op.layer}, theta ${op.rope.theta}, scaling ${op.rope.scaling.type})`;
    case 'pagedAttention':
      return `${buffer(op.out)} = pagedAttention(${inputs}, layer ${op.layer})`;
    case 'swiglu':
    case 'gather':
    case 'allGather':
      return `${buffer(op.out)} = ${op.kind}(${inputs})`;
    case 'add':
    case 'allReduce':
      return `${op.kind}(${inputs})`;
  }
}
