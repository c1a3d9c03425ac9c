import { expect, test } from 'vitest';
import { namedShape } from '../../../builder/random-weights/shapes.js';
import { buildStep } from '../../../core/build-step.js';
import { inferPlan } from '../../../plan/infer.js';
import { benchmarkPlan } from '../../../builder/testing/benchmark-plans.js';
import { type CostModel, opCost } from './op-cost.js';

const plan = benchmarkPlan({ shape: namedShape('llama2_7b'), dtype: 'f16', weights: 'int8' });
const model: CostModel = { plan, inferred: inferPlan(plan), bytes: { activation: 2, cache: 2 } };

/** Parameters of LLaMA-2-7B by hand. */
const LAYERS = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008);
const HEAD = 32000 * 4096;

function sumOf(step: ReturnType<typeof buildStep>, kinds: readonly string[]) {
  const costs = plan.ops.flatMap((op, index) =>
    kinds.includes(op.kind) ? [opCost(model, index, step)] : [],
  );
  return {
    bytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
    flops: costs.reduce((sum, { flops }) => sum + flops, 0),
  };
}

test('a decode step moves the weights once and computes two operations a parameter and token', () => {
  const step = buildStep([
    { slot: 0, tokenIds: [-1], firstPosition: 99, blocks: [0, 1, 2, 3, 4, 5, 6] },
    { slot: 1, tokenIds: [-1], firstPosition: 49, blocks: [7, 8, 9, 10] },
  ]);
  const { bytes, flops } = sumOf(step, ['linear']);
  expect(flops).toBe(2 * 2 * (LAYERS + HEAD));
  expect(bytes / (LAYERS + 2 * HEAD)).toBeCloseTo(1, 2);
  // K and V of 150 cached tokens; queries and results are little beside them.
  expect(sumOf(step, ['pagedAttention']).bytes / (150 * 2 * 32 * 4096 * 2)).toBeCloseTo(1, 1);
});

test('attention of a prompt computes half of a square', () => {
  const step = buildStep([
    { slot: 0, tokenIds: Array.from({ length: 512 }, () => 1), firstPosition: 0, blocks: [0] },
  ]);
  expect(sumOf(step, ['pagedAttention']).flops / (32 * 4 * ((512 * 512) / 2) * 4096)).toBeCloseTo(1, 2);
  // Only the last token's logits are wanted.
  const head = plan.ops.findLastIndex(({ kind }) => kind === 'linear');
  expect(opCost(model, head, step).flops).toBe(2 * HEAD);
  expect(opCost(model, plan.ops.length, step)).toEqual({ bytes: 4 * 32000, flops: 0 });
});
