import type { Plan, PlanOp } from '../../plan/plan.js';

/** `add` directly followed by `rmsNorm` of its result becomes `addRmsNorm`: one pass over the residual instead of two. */
export function fuse(plan: Plan): Plan {
  const ops: PlanOp[] = [];
  for (const op of plan.ops) {
    const previous = ops.at(-1);
    if (op.kind === 'rmsNorm' && previous?.kind === 'add' && previous.residual === op.x) {
      const { residual, delta } = previous;
      ops[ops.length - 1] = {
        kind: 'addRmsNorm',
        residual,
        delta,
        weight: op.weight,
        epsilon: op.epsilon,
        out: op.out,
      };
    } else {
      ops.push(op);
    }
  }
  return { ...plan, ops };
}
