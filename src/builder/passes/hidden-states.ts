import { invariant } from '../../core/errors.js';
import { weightsOf } from '../../plan/operands.js';
import type { Plan, PlanOp } from '../../plan/plan.js';

const WEIGHT = 'hidden_head.weight';

/**
 * The plan that gives the hidden states after the final norm in the place of logits. A linear with the identity is its head: it
 * makes f32 of what the device computes with, exactly, so that no executor needs an op of its own.
 */
export function hiddenStates(plan: Plan): Plan {
  const { ops, dims, logits, activationDtype } = plan;
  const last = ops.findLastIndex(({ kind }) => kind === 'rmsNorm');
  const norm = ops[last];
  invariant(norm?.kind === 'rmsNorm' && ops[last + 1]?.kind === 'linear', () => 'no head follows the norm');
  const head: PlanOp = {
    kind: 'linear',
    x: norm.out,
    weight: WEIGHT,
    bias: null,
    out: logits,
    outDtype: 'f32',
  };
  const kept = [...ops.slice(0, last + 1), head];
  const used = new Set(kept.flatMap((op) => weightsOf(op).map(([name]) => name)));
  const weights = {
    ...Object.fromEntries(Object.entries(plan.weights).filter(([name]) => used.has(name))),
    [WEIGHT]: {
      shape: [dims.hidden, dims.hidden],
      format: { type: 'dense', dtype: activationDtype },
      source: { parts: [], isIdentity: true },
    },
  } as const;
  return { ...plan, results: 'hiddenStates', ops: kept, weights };
}
