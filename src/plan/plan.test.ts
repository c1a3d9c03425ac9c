import { describe, expect, it } from 'vitest';
import { planBuffers, valueBytes } from './buffers.js';
import { inferPlan } from './infer.js';
import type { Plan, PlanOp } from './plan.js';
import { printPlan } from './print.js';
import { createTestPlan, TINY_PLAN_SHAPE } from './testing/test-plan.js';
import { validatePlan, weightRoles } from './validate.js';
import { INT8_PER_CHANNEL } from './weight-format.js';

const PLAN = createTestPlan(TINY_PLAN_SHAPE);

/** The plan with fields of its first op of a kind changed. */
function withOp(kind: PlanOp['kind'], changes: Readonly<Record<string, unknown>>): Plan {
  const index = PLAN.ops.findIndex((op) => op.kind === kind);
  return { ...PLAN, ops: PLAN.ops.map((op, i) => (i === index ? { ...op, ...changes } : op)) };
}

describe('inferPlan', () => {
  it('finds shapes and lifetimes', () => {
    const { values, operands, logits } = inferPlan(PLAN);
    const lines = values.map(({ buffer, rows, columns, dtype, definedAt, lastUsedAt }) =>
      [buffer, rows, columns, dtype, definedAt, lastUsedAt].join(' '),
    );
    expect(lines).toEqual([
      'hidden tokens 12 activation 0 11',
      'normed tokens 12 activation 1 2',
      'qkv tokens 16 activation 2 4',
      'attended tokens 8 activation 4 5',
      'delta tokens 12 activation 5 6',
      'normed tokens 12 activation 6 7',
      'gateUp tokens 20 activation 7 8',
      'gated tokens 10 activation 8 9',
      'delta tokens 12 activation 9 10',
      'last logits 12 activation 11 12',
      'lastNormed logits 12 activation 12 13',
      'logits logits 30 f32 13 14',
    ]);
    expect(operands[7]!.get('normed')).toBe(values[5]);
    expect(logits).toBe(values.at(-1));
  });

  const gather = { kind: 'allGather', x: 'logits', out: 'all', columns: 50 } as const;

  it('cuts padding off gathered columns', () => {
    const sharded = { ...PLAN, worldSize: 2, ops: [...PLAN.ops, gather], logits: 'all' };
    expect(inferPlan(sharded).logits).toMatchObject({ rows: 'logits', columns: 50, dtype: 'f32' });
  });

  it.each<readonly [string, Plan, RegExp]>([
    [
      'a buffer before its definition',
      withOp('rmsNorm', { x: 'later' }),
      /op 1 \(rmsNorm\): buffer 'later' is read before/,
    ],
    ['an output over its input', withOp('rmsNorm', { out: 'hidden' }), /'hidden' is both input and output/],
    ['an unknown weight', withOp('rmsNorm', { weight: 'gone' }), /weight 'gone' is not in the plan/],
    [
      'a weight of another shape',
      withOp('rmsNorm', { weight: '0.qkv' }),
      /'0.qkv' has shape \[16, 12\], \[12\] is needed/,
    ],
    [
      'attention of other widths',
      withOp('pagedAttention', { qkv: 'hidden' }),
      /'hidden' has 12 columns, 16 are needed/,
    ],
    ['a sum of unlike buffers', withOp('add', { delta: 'gated' }), /'gated' has 10 columns, 12 are needed/],
    ['a plan without logits', { ...PLAN, logits: 'none' }, /no op defines 'none'/],
    [
      'too few gathered columns',
      { ...PLAN, ops: [...PLAN.ops, gather] },
      /1 ranks of 30 columns are fewer than 50/,
    ],
  ])('refuses %s', (_, plan, message) => {
    expect(() => inferPlan(plan)).toThrowError(message);
  });
});

describe('validatePlan', () => {
  it('accepts a valid plan', () => {
    expect(validatePlan(PLAN)).toEqual(inferPlan(PLAN));
    expect(weightRoles(PLAN).get('head')).toBe('linear');
  });

  const unused = { ...PLAN.weights, spare: PLAN.weights['head']! };
  const quantised = { ...PLAN.weights['norm.first']!, format: INT8_PER_CHANNEL } as const;
  it.each<readonly [string, Plan, RegExp]>([
    ['unused weights', { ...PLAN, weights: unused }, /has weight 'spare', which no op uses/],
    [
      'quantised vectors',
      { ...PLAN, weights: { ...PLAN.weights, 'norm.first': quantised } },
      /quantises the vector 'norm.first'/,
    ],
    [
      'two roles for one weight',
      withOp('embedding', { table: 'head' }),
      /uses weight 'head' both as table and as linear/,
    ],
    ['a layer beyond the last', withOp('ropeAppend', { layer: 1 }), /names layer 1 of 1/],
    [
      'a layer without attention',
      { ...PLAN, dims: { ...PLAN.dims, layerCount: 2 } },
      /attention in 1 of 2 layers/,
    ],
    [
      'collectives on one rank',
      { ...PLAN, ops: [...PLAN.ops, { kind: 'allReduce', x: 'logits' }] },
      /only one rank/,
    ],
    ['narrow logits', { ...PLAN, dims: { ...PLAN.dims, vocabulary: 31 } }, /must be \[logits, 31 or more\]/],
    ['logits of activations', withOp('gather', { out: 'logits' }), /is read before it is defined/],
  ])('refuses %s', (_, plan, message) => {
    expect(() => validatePlan(plan)).toThrowError(message);
  });

  it('refuses attention before its keys are there', () => {
    const ops = [...PLAN.ops];
    [ops[3], ops[4]] = [ops[4]!, ops[3]!];
    expect(() => validatePlan({ ...PLAN, ops })).toThrowError(/attends in layer 0 before it appends/);
  });
});

describe('planBuffers', () => {
  it.each([
    { maxTokens: 1, maxLogits: 1, activationBytes: 4 },
    { maxTokens: 100, maxLogits: 7, activationBytes: 2 },
    { maxTokens: 8, maxLogits: 900, activationBytes: 4 },
  ])('never lets two living values share bytes at %o', (sizes) => {
    const inferred = inferPlan(PLAN);
    const { offsets, totalBytes } = planBuffers(inferred, sizes);
    for (const a of inferred.values) {
      const [start, end] = [offsets.get(a)!, offsets.get(a)! + valueBytes(a, sizes)];
      expect([start % 64, end <= totalBytes]).toEqual([0, true]);
      for (const b of inferred.values) {
        if (a === b || a.definedAt > b.lastUsedAt || b.definedAt > a.lastUsedAt) continue;
        expect(end <= offsets.get(b)! || offsets.get(b)! + valueBytes(b, sizes) <= start).toBe(true);
      }
    }
  });

  it('reuses the bytes of dead values', () => {
    const inferred = inferPlan(PLAN);
    const sizes = { maxTokens: 64, maxLogits: 1, activationBytes: 4 };
    const sum = inferred.values.reduce((bytes, value) => bytes + valueBytes(value, sizes), 0);
    // The peak: hidden, gateUp and gated, or hidden, normed and gateUp.
    expect(planBuffers(inferred, sizes).totalBytes).toBe(64 * 4 * (12 + 20 + 12));
    expect(sum).toBeGreaterThan(2 * 64 * 4 * 44);
  });
});

describe('printPlan', () => {
  it('shows each op on a line', () => {
    expect(printPlan(PLAN).split('\n')).toEqual([
      'test, rank 0 of 1, activations f16, cache f16',
      '1 layers, hidden 12, 4 heads (2 key/value) of 2, FFN 10, vocabulary 30, positions 2048',
      '   0  hidden[tokens, 12] = embedding(embedding[30, 12] f16)',
      '   1  normed[tokens, 12] = rmsNorm(hidden[tokens, 12], norm.first[12] f16, epsilon 0.00001)',
      '   2  qkv[tokens, 16] activation = linear(normed[tokens, 12], 0.qkv[16, 12] f16)',
      '   3  ropeAppend(qkv[tokens, 16], layer 0, theta 10000, scaling none)',
      '   4  attended[tokens, 8] = pagedAttention(qkv[tokens, 16], layer 0)',
      '   5  delta[tokens, 12] activation = linear(attended[tokens, 8], 0.dense[12, 8] f16)',
      '   6  normed[tokens, 12] = addRmsNorm(hidden[tokens, 12], delta[tokens, 12], 0.norm.ffn[12] f16, epsilon 0.00001)',
      '   7  gateUp[tokens, 20] activation = linear(normed[tokens, 12], 0.gateUp[20, 12] f16)',
      '   8  gated[tokens, 10] = swiglu(gateUp[tokens, 20])',
      '   9  delta[tokens, 12] activation = linear(gated[tokens, 10], 0.down[12, 10] f16)',
      '  10  add(hidden[tokens, 12], delta[tokens, 12])',
      '  11  last[logits, 12] = gather(hidden[tokens, 12])',
      '  12  lastNormed[logits, 12] = rmsNorm(last[logits, 12], norm.last[12] f16, epsilon 0.00001)',
      '  13  logits[logits, 30] f32 = linear(lastNormed[logits, 12], head[30, 12] f16)',
      'logits: logits',
      '',
    ]);
  });

  it('shows collectives and biases', () => {
    const bias = { ...PLAN.weights['norm.last']!, shape: [30] };
    const plan: Plan = {
      ...PLAN,
      worldSize: 2,
      weights: { ...PLAN.weights, bias },
      ops: [
        ...PLAN.ops.map((op): PlanOp =>
          op.kind === 'linear' && op.weight === 'head' ? { ...op, bias: 'bias' } : op,
        ),
        { kind: 'allReduce', x: 'logits' },
        { kind: 'allGather', x: 'logits', out: 'all', columns: 59 },
      ],
    };
    expect(printPlan(plan).split('\n').slice(-5)).toEqual([
      '  13  logits[logits, 30] f32 = linear(lastNormed[logits, 12], head[30, 12] f16, bias bias)',
      '  14  allReduce(logits[logits, 30])',
      '  15  all[logits, 59] = allGather(logits[logits, 30])',
      'logits: logits',
      '',
    ]);
  });
});
