import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Plan, PlanOp } from '../../plan/plan.js';
import { printPlan } from '../../plan/print.js';
import { validatePlan } from '../../plan/validate.js';
import { JsonFile } from '../checkpoint/json-file.js';
import { parseModelConfig } from '../checkpoint/model-config.js';
import { llama } from '../models/llama.js';
import { faultOf } from '../testing/fault.js';
import { TINY_CONFIG } from '../testing/tiny-checkpoint.js';
import { fuse } from './fuse.js';
import { hiddenStates } from './hidden-states.js';
import { quantise } from './quantise.js';
import { shard } from './shard.js';
import { INT8_PER_CHANNEL } from '../../plan/weight-format.js';

const define = (fields: Record<string, unknown> = {}) =>
  llama.define(parseModelConfig(new JsonFile('config.json', { ...TINY_CONFIG, ...fields })), 'f16');

const kinds = (plan: Plan) => plan.ops.map(({ kind }) => kind);

test('fuse joins add and rmsNorm of the same residual, across layers too', () => {
  const { plan } = define();
  const fused = fuse(plan);
  validatePlan(fused);
  expect(kinds(fused)).toEqual(kinds(plan).join(' ').replaceAll('add rmsNorm', 'addRmsNorm').split(' '));
  expect(kinds(fused).filter((kind) => kind === 'addRmsNorm')).toHaveLength(3);
  expect(fused.ops.at(-4)?.kind).toBe('add'); // the last one feeds the gather
});

test('fuse leaves an add alone whose result is not normed at once', () => {
  const ops: PlanOp[] = [
    { kind: 'add', residual: 'a', delta: 'b' },
    { kind: 'rmsNorm', x: 'c', weight: 'w', epsilon: 1, out: 'd' },
  ];
  const plan = { ...define().plan, ops };
  expect(fuse(plan).ops).toEqual(ops);
});

const int8Names = (plan: Plan) =>
  Object.entries(plan.weights)
    .filter(([, { format }]) => format.type === 'quantised')
    .map(([name]) => name);

test('INT8 takes the matrices of the layers, and others only when asked', () => {
  const { plan } = define({ num_hidden_layers: 1, attention_bias: true });
  const layers = [
    'layers.0.attention.qkv.weight',
    'layers.0.attention.dense.weight',
    'layers.0.mlp.fc_gate.weight',
    'layers.0.mlp.proj.weight',
  ];
  expect(int8Names(quantise(plan, { format: INT8_PER_CHANNEL, parts: new Set() }))).toEqual([]);
  expect(int8Names(quantise(plan, { format: INT8_PER_CHANNEL, parts: new Set(['layers']) }))).toEqual(layers);
  expect(
    int8Names(
      quantise(plan, { format: INT8_PER_CHANNEL, parts: new Set(['layers', 'lm_head', 'embedding']) }),
    ),
  ).toEqual(['vocab_embedding.weight', ...layers, 'lm_head.weight']);
  expect(int8Names(plan)).toEqual([]);
});

/** Which rows or columns of each checkpoint tensor a rank keeps. */
function keptRanges(plan: Plan): Map<string, readonly [number, number]> {
  const kept = new Map<string, readonly [number, number]>();
  for (const [name, { source }] of Object.entries(plan.weights))
    for (const { tensor, shape, slice } of source.parts)
      kept.set(`${name}<${tensor}`, slice === null ? [0, shape[0]!] : [slice.start, slice.end]);
  return kept;
}

test('sharding covers every tensor once, except what ranks share', () => {
  const scenario = fc.record({
    worldSize: fc.constantFrom(2, 4, 8),
    kvHeadCount: fc.constantFrom(1, 2, 4, 8),
    vocabulary: fc.integer({ min: 9, max: 40 }),
    bias: fc.boolean(),
  });
  fc.assert(
    fc.property(scenario, ({ worldSize, kvHeadCount, vocabulary, bias }) => {
      const definition = define({
        hidden_size: 32,
        num_attention_heads: 8,
        num_key_value_heads: kvHeadCount,
        vocab_size: vocabulary,
        attention_bias: bias,
        mlp_bias: bias,
      });
      const plans = Array.from({ length: worldSize }, (_, rank) => shard(definition, rank, worldSize));
      for (const plan of plans)
        validatePlan(fuse(quantise(plan, { format: INT8_PER_CHANNEL, parts: new Set(['layers']) })));
      const ranges = plans.map(keptRanges);
      for (const [key, [first]] of ranges[0]!) {
        const whole = key.includes('norm') || key.includes('embedding.weight<');
        const own = ranges.map((kept) => kept.get(key)).filter((range) => range !== undefined);
        if (whole) {
          expect(new Set(own.map(String)).size).toBe(1);
          continue;
        }
        expect(first).toBe(0);
        // Ranges follow each other; with fewer key/value heads than ranks, neighbours have the same one.
        for (let rank = 1; rank < own.length; rank++) {
          const [previous, current] = [own[rank - 1]!, own[rank]!];
          const shared =
            /[kv]_proj/.test(key) && kvHeadCount < worldSize && String(previous) === String(current);
          expect(shared || current[0] === previous[1]).toBe(true);
        }
        const part = Object.values(definition.plan.weights)
          .flatMap(({ source }) => source.parts)
          .find(({ tensor }) => key.endsWith(`<${tensor}`))!;
        const axis = definition.shardRules[key.split('<')[0]!] === 'columns' ? 1 : 0;
        expect(own.at(-1)![1]).toBe(part.shape[axis]);
      }
    }),
    { numRuns: 60 },
  );
});

test('each query head lands on the rank of its key/value head', () => {
  for (const [kvHeadCount, worldSize] of [
    [2, 4],
    [4, 4],
    [8, 2],
    [1, 8],
  ] as const) {
    const definition = define({ hidden_size: 32, num_attention_heads: 8, num_key_value_heads: kvHeadCount });
    const headDim = 4;
    for (let rank = 0; rank < worldSize; rank++) {
      const { weights, dims } = shard(definition, rank, worldSize);
      const [q, k, v] = weights['layers.0.attention.qkv.weight']!.source.parts.map(({ slice }) => slice!);
      expect(k).toEqual(v);
      for (let head = q!.start / headDim; head < q!.end / headDim; head++) {
        const kvHead = Math.floor(head / (8 / kvHeadCount));
        expect(kvHead * headDim).toBeGreaterThanOrEqual(k!.start);
        expect((kvHead + 1) * headDim).toBeLessThanOrEqual(k!.end);
      }
      expect(dims).toMatchObject({
        headCount: 8 / worldSize,
        kvHeadCount: Math.max(1, kvHeadCount / worldSize),
        intermediate: 24 / worldSize,
        vocabulary: 37,
      });
    }
  }
});

test('sums follow row-parallel linears, the logits are gathered without their padding', () => {
  const plan = shard(define({ num_hidden_layers: 1, attention_bias: true }), 1, 2);
  const text = plan.ops.map((op) => (op.kind === 'linear' ? op.weight : op.kind));
  expect(text).toEqual([
    'embedding',
    'rmsNorm',
    'layers.0.attention.qkv.weight',
    'ropeAppend',
    'pagedAttention',
    'layers.0.attention.dense.weight',
    'allReduce',
    'add',
    'rmsNorm',
    'layers.0.mlp.fc_gate.weight',
    'swiglu',
    'layers.0.mlp.proj.weight',
    'allReduce',
    'add',
    'gather',
    'rmsNorm',
    'lm_head.weight',
    'allGather',
  ]);
  expect(plan.ops.at(-1)).toMatchObject({ kind: 'allGather', out: 'logits', columns: 37 });
  expect(plan.weights['lm_head.weight']).toMatchObject({
    shape: [19, 16],
    source: { parts: [{ slice: { axis: 0, start: 19, end: 37 } }] },
  });
});

test('a bias after the sum is on the first rank only', () => {
  const definition = define({ attention_bias: true });
  const denseBias = (rank: number) => {
    const plan = shard(definition, rank, 2);
    const op = plan.ops.find(
      ({ kind, ...rest }) =>
        kind === 'linear' && 'weight' in rest && rest.weight === 'layers.0.attention.dense.weight',
    );
    return {
      op: op?.kind === 'linear' ? op.bias : undefined,
      stored: 'layers.0.attention.dense.bias' in plan.weights,
    };
  };
  expect(denseBias(0)).toEqual({ op: 'layers.0.attention.dense.bias', stored: true });
  expect(denseBias(1)).toEqual({ op: null, stored: false });
});

test.each([
  [{}, 3, /does not divide the 4 attention heads/],
  [{ intermediate_size: 25 }, 2, /does not divide the intermediate size 25/],
  [{ hidden_size: 48, num_attention_heads: 12, num_key_value_heads: 6 }, 4, /6 key\/value heads/],
])('refuses %j on %i ranks', (fields, worldSize, message) => {
  const fault = faultOf(() => shard(define(fields), 0, worldSize));
  expect(fault.code).toBe('SHARDING_IMPOSSIBLE');
  expect(fault.message).toMatch(message);
});

test('hidden states take the place of logits, before and after the plan is cut for ranks', () => {
  const definition = define({ num_hidden_layers: 1 });
  const plan = hiddenStates(definition.plan);
  validatePlan(plan);
  expect(printPlan(plan).split('\n').slice(-5)).toEqual([
    expect.stringContaining('last[logits, 16] = gather(hidden[tokens, 16])'),
    expect.stringContaining('lastNormed[logits, 16] = rmsNorm(last[logits, 16], ln_f.weight[16] f16'),
    expect.stringContaining(
      'logits[logits, 16] f32 = linear(lastNormed[logits, 16], hidden_head.weight[16, 16] f16)',
    ),
    'logits: logits',
    '',
  ]);
  expect(Object.keys(plan.weights)).not.toContain('lm_head.weight');
  expect(Object.keys(definition.plan.weights)).toContain('lm_head.weight');
  const rank = shard({ ...definition, plan }, 1, 2);
  validatePlan(rank);
  expect(rank.weights['hidden_head.weight']).toEqual(plan.weights['hidden_head.weight']);
  expect(kinds(rank)).not.toContain('allGather');
});
