import { inferPlan, type PlanValue } from './infer.js';
import { definitionOf } from './ops/index.js';
import type { PrintContext } from './ops/op-definition.js';
import type { BufferName, Plan } from './plan.js';
import { formatText } from './weight-format.js';

/** A plan as text, one op a line with shapes: for people and for golden tests of passes. */
export function printPlan(plan: Plan): string {
  const { dims } = plan;
  const inferred = inferPlan(plan);
  const lines = plan.ops.map((op, index) => {
    const context = printContext(plan, inferred.operands[index]!);
    return `${String(index).padStart(4)}  ${definitionOf(op).print(op, context)}`;
  });
  return [
    `${plan.architecture}, rank ${plan.rank} of ${plan.worldSize}, activations ${plan.activationDtype}, cache ${plan.kvDtype}`,
    `${dims.layerCount} layers, hidden ${dims.hidden}, ${dims.headCount} heads (${dims.kvHeadCount} key/value) of ${dims.headDim}, ` +
      `FFN ${dims.intermediate}, vocabulary ${dims.vocabulary}, positions ${dims.maxPositions}`,
    ...lines,
    `logits: ${plan.logits}`,
    '',
  ].join('\n');
}

/** Text of the operands of one op. */
function printContext({ weights }: Plan, operands: ReadonlyMap<BufferName, PlanValue>): PrintContext {
  return {
    buffer(name) {
      const { rows, columns } = operands.get(name)!;
      return `${name}[${rows}, ${columns}]`;
    },
    weight(name) {
      const { shape, format } = weights[name]!;
      return `${name}[${shape.join(', ')}] ${formatText(format)}`;
    },
  };
}
