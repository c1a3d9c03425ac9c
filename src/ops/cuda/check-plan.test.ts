import { expect, test } from 'vitest';
import { namedShape } from '../../builder/random-weights/shapes.js';
import type { Plan, PlanOp, RopeScaling } from '../../plan/plan.js';
import { benchmarkPlan } from '../../builder/testing/benchmark-plans.js';
import { checkCudaPlan } from './check-plan.js';

const PLAN = benchmarkPlan({ shape: namedShape('tinyllama_1b'), dtype: 'f16', weights: 'dense' });

function scaled(scaling: RopeScaling): Plan {
  const withScaling = (op: PlanOp): PlanOp =>
    op.kind === 'ropeAppend' ? { ...op, rope: { ...op.rope, scaling } } : op;
  return { ...PLAN, ops: PLAN.ops.map(withScaling) };
}

test('dynamic scaling runs as long as no prompt is longer than the original length', () => {
  const plan = scaled({ type: 'dynamic', factor: 2, originalMaxPositions: 2048 });
  expect(() => checkCudaPlan(plan, 2048)).not.toThrow();
  expect(() => checkCudaPlan(plan, 2049)).toThrow(
    /'dynamic'.*over 2048 tokens; build with --max_input_len 2048/,
  );
  expect(() => checkCudaPlan(scaled({ type: 'linear', factor: 2 }), 9000)).not.toThrow();
});

test.each<readonly [Plan, RegExp]>([
  [{ ...PLAN, activationDtype: 'f32' }, /16 bits/],
  [{ ...PLAN, dims: { ...PLAN.dims, headDim: 40 } }, /head size 40/],
  [{ ...PLAN, dims: { ...PLAN.dims, hidden: 2044 } }, /layer size 2044/],
])('refuses what the kernels cannot run', (plan, why) => {
  expect(() => checkCudaPlan(plan, 128)).toThrow(why);
});
