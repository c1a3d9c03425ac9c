import { expect, test } from 'vitest';
import { namedShape } from '../../builder/random-weights/shapes.js';
import { buildStep } from '../../core/build-step.js';
import { inferPlan } from '../../plan/infer.js';
import type { CostModel } from '../../run/executor/profile/op-cost.js';
import { benchmarkPlan } from '../../builder/testing/benchmark-plans.js';
import { chromeTrace } from './chrome-trace.js';
import { opName, summarise } from './op-summary.js';
import { summariseRanks } from './rank-summary.js';
import { summaryTable } from './profile-report.js';
import type { ProfiledStep } from './profile-steps.js';

const plan = benchmarkPlan({ shape: namedShape('llama2_7b'), dtype: 'f16', weights: 'int8' });
const model: CostModel = { plan, inferred: inferPlan(plan), bytes: { activation: 2, cache: 2 } };
const step = buildStep([{ slot: 0, tokenIds: [-1], firstPosition: 15, blocks: [0] }]);
const isDown = (index: number): boolean => opName(plan, index).startsWith('linear mlp.proj');
const down = [...plan.ops.keys()].filter(isDown);
/** 45 MB of INT8 weights in 20 us of a step of 2 ms: 2.25 TB/s. */
const profiled = (submittedMs: number): ProfiledStep => ({
  phase: 'decode',
  step,
  submittedMs,
  deviceMs: 2,
  others: [],
  calls: [
    ...down.map((opIndex, i) => ({ opIndex, kernel: 'ring', startMs: i * 0.03, ms: 0.02 })),
    { opIndex: plan.ops.length, kernel: 'sample', startMs: 1.5, ms: 0.1 },
  ],
});
const RATES = { readGBps: 4500, peakGflops: () => 700_000 };

test('layers are summed, and rates and shares follow from bytes and time', () => {
  expect(down).toHaveLength(32);
  const ops = summarise([profiled(0), profiled(3)], model, RATES);
  expect(ops.map(({ name, opCount }) => [name, opCount])).toEqual([
    ['linear mlp.proj 4096x11008 int8', 64],
    ['sample', 2],
  ]);
  expect(ops[0]!.ms).toBeCloseTo(64 * 0.02, 9);
  expect(ops[0]!.limitMs / ops[0]!.ms).toBeCloseTo(0.5, 2);
  const table = summaryTable({ caseName: 'one', phase: 'decode', stepCount: 2, stepMs: 4, ops, ranks: [] });
  expect(table).toMatch(/^decode: 2\.000 ms a step, mean of 2$/m);
  expect(table).toMatch(
    /^linear mlp\.proj 4096x11008 int8 +32 +0\.640 +32\.0% +1444\.\d\d +225\d\.\d +4\.\d+ +50% +ring$/m,
  );
  expect(table).toMatch(/^between calls +1\.260 +63\.0%$/m);
  expect(table).toMatch(/^whole step +2\.000 +100\.0% +16%$/m);
});

test('ranks are compared by what they compute and by what they exchange', () => {
  const ranks = { rank: 0, worldSize: 2 };
  const ofTwo = benchmarkPlan({ shape: namedShape('llama2_7b'), dtype: 'f16', weights: 'int8', ranks });
  const kinds = ofTwo.ops.map(({ kind }) => kind);
  const [sum, linear] = [kinds.indexOf('allReduce'), kinds.indexOf('linear')];
  const other = new Float32Array(kinds.length + 1);
  other.set([0.5], sum);
  other.set([2], linear);
  other.set([0.25], kinds.length);
  const calls = [
    { opIndex: linear, kernel: 'k', startMs: 0, ms: 1 },
    { opIndex: sum, kernel: 'k', startMs: 1, ms: 1.5 },
  ];
  const both = [0, 3].map((submittedMs) => ({ ...profiled(submittedMs), calls, others: [other] }));
  expect(summariseRanks(both, ofTwo)).toEqual([
    { rank: 0, computeMs: 2, exchangeMs: 3 },
    { rank: 1, computeMs: 4.5, exchangeMs: 1 },
  ]);
  const phase = { caseName: 'one', phase: 'decode', stepCount: 2, stepMs: 4, ops: [] } as const;
  expect(summaryTable({ ...phase, ranks: summariseRanks(both, ofTwo) })).toMatch(/^1 +2\.250 +0\.500$/m);
  expect(summariseRanks([profiled(0)], plan)).toEqual([]);
});

test('what computes more than it reads is held against the peak', () => {
  const tokenIds = Array.from({ length: 2048 }, () => 1);
  const prompt = buildStep([{ slot: 0, tokenIds, firstPosition: 0, blocks: [0] }]);
  const slow = {
    ...profiled(0),
    step: prompt,
    calls: [{ opIndex: down[0]!, kernel: 'k', startMs: 0, ms: 1 }],
  };
  const [op] = summarise([slow], model, RATES);
  expect(op!.limitMs).toBeCloseTo((2 * 2048 * 4096 * 11008) / 700_000 / 1e6, 6);
});

test('the trace has a track of steps and one of calls that lie inside them', () => {
  const { traceEvents } = chromeTrace([profiled(1000), profiled(1003)], model);
  const steps = traceEvents.filter(({ cat }) => cat === 'step');
  expect(steps.map(({ ts, dur }) => [ts, dur])).toEqual([
    [0, 2000],
    [3000, 2000],
  ]);
  const calls = traceEvents.filter(({ cat, ts }) => cat === 'call' && ts >= 3000);
  expect(calls).toHaveLength(33);
  for (const { ts, dur } of calls) expect(ts + dur!).toBeLessThanOrEqual(5000);
  expect(calls[0]).toMatchObject({ name: 'ring', tid: 1, args: { op: 'linear mlp.proj 4096x11008 int8' } });
});
