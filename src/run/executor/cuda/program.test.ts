import { describe, expect, it, test } from 'vitest';
import { namedShape } from '../../../builder/random-weights/shapes.js';
import { asMixture, benchmarkPlan, type PlanChoice } from '../../../builder/testing/benchmark-plans.js';
import { areaRecord, resultParts } from '../../../ops/cuda/areas.js';
import { lowerForCuda } from '../../../ops/cuda/lower.js';
import type { Mapped } from '../../../ops/cuda/mapped.js';
import type { RankConnection } from '../../../ops/exchange/ranks.js';
import type { CudaContext, CudaStep } from '../../../ops/cuda/scope.js';
import { createRecordingSink } from '../../../ops/cuda/testing/recording-sink.js';
import { linearChooser } from '../../../ops/linear/cuda/choose.js';
import { maxResults } from '../opening/sizing.js';
import { sizeCuda } from './memory-sizes.js';
import type { Plan } from '../../../plan/plan.js';
import { isQuantised } from '../../../plan/weight-format.js';
import { bindProgram, type StepPart } from './program.js';

const H200 = { computeCapability: 90, multiprocessorCount: 132 };
const A100 = { computeCapability: 80, multiprocessorCount: 108 };
const WORKSPACE = 2 ** 40;
const KV_BASE = 2 ** 41;
const LIMITS = {
  maxStepTokens: 1024,
  maxRows: 16,
  maxLogits: 64,
  blockTokens: 16,
  blockCount: 0,
  hostBlockCount: 0,
  maxSequenceTokens: 2048,
};
const STEP: CudaStep = {
  tokens: 4,
  logits: 4,
  decodeItems: 4,
  prefillTiles: 0,
  keyTiles: 0,
  maxBlocks: 128,
  topCount: 0,
  descriptor: () => 0x500,
};

interface Ranked {
  readonly ranks: { readonly rank: number; readonly worldSize: number };
  readonly connection: Partial<RankConnection>;
}

/** Binds two layers of LLaMA-2-7B, without a device. */
function bind(
  target: typeof H200,
  weights: 'dense' | 'int8' | 'int4',
  ranked?: Ranked,
  choice: Pick<Partial<PlanChoice>, 'embeds' | 'inputBits'> = {},
  change = (plan: Plan): Plan => plan,
) {
  const shape = { ...namedShape('llama2_7b'), num_hidden_layers: 2 };
  const ranks = ranked && { ranks: ranked.ranks };
  const plan = change(benchmarkPlan({ shape, dtype: 'f16', weights, ...choice, ...ranks }));
  const lowered = lowerForCuda(plan);
  const limits = { ...LIMITS, maxLogits: maxResults(plan, LIMITS) };
  const { offset, rows } = sizeCuda(lowered, limits, target);
  const mapped: Mapped[] = [];
  const context: CudaContext = {
    ...lowered,
    target,
    blockTokens: LIMITS.blockTokens,
    maxStepTokens: LIMITS.maxStepTokens,
    maxSequenceTokens: LIMITS.maxSequenceTokens,
    chooseLinear: linearChooser(target),
    memory: {
      ...areaRecord(() => 0x100),
      ...resultParts(0x100, 64),
      valueAddress: (value) => WORKSPACE + offset(value),
      valueRows: rows,
      tensor: () => 0x300,
      tensorMap: (one) => Uint8Array.of(mapped.push(one) % 256),
      kvBase: KV_BASE,
      kvBytes: 2 ** 24,
      cacheLayer: (layer) => KV_BASE + layer * 2 ** 20,
      blockStride: 2 ** 18,
      headBlockBytes: 2 ** 13,
    },
    ...(ranked && { ranks: connectionOf(ranked) }),
  };
  const program = bindProgram(lowered, context);
  const run = (step: Partial<CudaStep>, part: StepPart = 'whole') => {
    const sink = createRecordingSink();
    program({ ...STEP, ...step }, sink, part);
    return sink;
  };
  return { run, mapped, lowered };
}

function connectionOf({ ranks, connection }: Ranked): RankConnection {
  return {
    ...ranks,
    dtype: 'f16',
    multiprocessorCount: 132,
    hasPeerMemory: true,
    wayOf: (rows) => (rows <= 128 ? 'oneShot' : 'twoShot'),
    table: () => 0x700,
    room: () => 0x800,
    ...connection,
  };
}

/** Names of kernels without the numbers of configurations. */
const namesOf = ({ calls }: ReturnType<ReturnType<typeof bind>['run']>): string[] =>
  calls.map(([, name]) => name.replace(/(_\d+)+/, ''));

const layer = ['ring_store', 'attention_decode_ring', 'ring_add', 'ring_swiglu'];
const HEAD = ['add', 'gather', 'rms_norm', 'ring_f32', 'sample'];

test.each(['dense', 'int8'] as const)(
  'a model of embeddings (%s) ends with its head and samples nothing',
  (weights) => {
    const { run } = bind(H200, weights, undefined, { embeds: true });
    for (const tokens of [1, 40, 300]) {
      const names = namesOf(run({ tokens, logits: tokens, decodeItems: 0, prefillTiles: 3 }));
      expect(names.slice(-4)).toEqual(['add', 'gather', 'rms_norm', expect.stringMatching(/_f32$|^matmul$/)]);
    }
  },
);

test.each([
  ['int8', 'int8', 0x300],
  ['int4', 'int4g128', 0],
] as const)('experts in %s run the kernels of their format', (weights, key, scale) => {
  const { run } = bind(H200, weights, undefined, {}, (plan) => asMixture(plan, weights));
  const launches = run({}).launches.filter(({ kernel }) => kernel.startsWith('expert_'));
  const names = [`expert_gate_up_${key}`, `expert_down_${key}`];
  expect(launches.map(({ kernel }) => kernel)).toEqual([...names, ...names]);
  for (const { args } of launches) expect(args.values).toMatchObject({ weight: 0x300, scale });
});

/** The plan with the codes of all groups in act order. */
function inActOrder(plan: Plan): Plan {
  const weights = Object.entries(plan.weights).map(([name, weight]) => {
    const { format } = weight;
    const isGrouped = isQuantised(format) && format.group !== null;
    return [name, isGrouped ? { ...weight, format: { ...format, hasOrder: true } } : weight] as const;
  });
  return { ...plan, weights: Object.fromEntries(weights) };
}

test.each([1, 300])('%i inputs of codes in act order are ordered before each of their layers', (tokens) => {
  const { run } = bind(H200, 'int4', undefined, {}, inActOrder);
  const step = tokens === 1 ? {} : { tokens, logits: 1, decodeItems: 0, prefillTiles: 3 };
  const names = namesOf(run(step));
  const linears = names.flatMap((name, i) => (/^(ring|wide)_(store|swiglu|add)$/.test(name) ? [i] : []));
  expect(linears).toHaveLength(8);
  expect(linears.map((i) => names[i - 1])).toEqual(Array.from({ length: 8 }, () => 'order_input'));
  const plain = namesOf(bind(H200, 'int4').run(step));
  expect(names.filter((name) => name !== 'order_input')).toEqual(plain);
  const launches = run({}).launches;
  const first = launches.findIndex(({ kernel }) => kernel === 'order_input');
  expect(launches[first]!.args.values).toMatchObject({ order: 0x300, out: 0x100, k: 4096 });
  expect(launches[first + 1]!.args.values['x']).toBe(0x100);
});

describe('launches of a step on an H200, INT8', () => {
  const { run, mapped, lowered } = bind(H200, 'int8');

  it('of decode: one kernel rotates, appends and attends, and linear layers do the norms between them', () => {
    expect(namesOf(run({}))).toEqual([
      ...['embedding', 'rms_norm', ...layer, 'ring_add', ...layer, 'ring_store'],
      ...HEAD,
    ]);
  });

  it('of decode: layers before and after a norm have the same sums and residual', () => {
    const { launches } = run({});
    const adding = launches.flatMap(({ kernel, args }, i) =>
      kernel.endsWith('_add') ? [[args.values, launches[i + 1]!.args.values] as const] : [],
    );
    expect(adding).toHaveLength(3);
    for (const [before, after] of adding) {
      expect(before['out']).toBe(after['x']);
      expect(before['nextSquares']).toBe(after['squares']);
      expect(before['nextNormWeight']).toBe(after['normWeight']);
      expect(before['residual']).toBe(adding[0]![0]['residual']);
      expect([before['squares'], after['residual']]).toEqual([0, 0]);
    }
  });

  it('of a prompt: warpgroups multiply and attend', () => {
    const prompt = ['wide_store', 'rope_append', 'attention_prefill_wgmma', 'wide_store', 'add_rms_norm'];
    const layers = [...prompt, 'wide_swiglu', 'wide_store'];
    const step = { tokens: 300, logits: 1, decodeItems: 0, prefillTiles: 3 };
    expect(namesOf(run(step))).toEqual([
      ...['embedding', 'rms_norm', ...layers, 'add_rms_norm', ...layers],
      ...HEAD,
    ]);
  });

  it('with inputs of 8 bits: norms round what only a linear takes, and others are rounded before theirs', () => {
    const rounding = bind(H200, 'int8', undefined, { inputBits: 8 });
    const layers = [
      ...['wide8_store', 'rope_append', 'attention_prefill_wgmma', 'round_input', 'wide8_store'],
      ...['add_rms_norm_int8', 'wide8_swiglu', 'round_input', 'wide8_store'],
    ];
    expect(namesOf(rounding.run({ tokens: 300, logits: 1, decodeItems: 0, prefillTiles: 3 }))).toEqual([
      ...['embedding', 'rms_norm_int8', ...layers, 'add_rms_norm_int8', ...layers],
      ...HEAD,
    ]);
    // Steps of few tokens take activations.
    expect(namesOf(rounding.run({}))).toEqual(namesOf(run({})));
  });

  it('of both: each kind of attention takes its rows', () => {
    const names = namesOf(run({ tokens: 40, decodeItems: 3, prefillTiles: 1 }));
    expect(names.filter((name) => /attention|rope/.test(name))).toEqual([
      ...['rope_append', 'attention_decode_ring', 'attention_prefill_wgmma'],
      ...['rope_append', 'attention_decode_ring', 'attention_prefill_wgmma'],
    ]);
  });

  it('without logits: ends with the last layer', () => {
    const names = namesOf(run({ tokens: 300, logits: 0, decodeItems: 0, prefillTiles: 3 }));
    expect(names.at(-1)).toBe('add');
    expect(names).not.toContain('sample');
  });

  it('belong to the ops that profiles know', () => {
    const kindsOf = (step: Partial<CudaStep>) =>
      run(step).calls.map(([index]) => lowered.plan.ops[index]?.kind ?? 'sample');
    expect(kindsOf({}).slice(2, 6)).toEqual(['linear', 'pagedAttention', 'linear', 'linear']);
    expect(kindsOf({ tokens: 40, prefillTiles: 1 }).slice(2, 6)).toEqual([
      ...['linear', 'ropeAppend', 'pagedAttention', 'pagedAttention'],
    ]);
    expect(kindsOf({}).at(-1)).toBe('sample');
  });

  it('look up every tensor map when the program is bound', () => {
    const before = mapped.length;
    expect(before).toBeGreaterThan(0);
    for (const tokens of [1, 3, 8, 40, 200, 1000]) run({ tokens, prefillTiles: 1 });
    expect(mapped).toHaveLength(before);
  });
});

describe('launches of a step on an A100, dense', () => {
  const { run, mapped, lowered } = bind(A100, 'dense');

  it('of decode: streams', () => {
    expect(namesOf(run({})).slice(2, 8)).toEqual([
      ...[
        'stream_store',
        'attention_decode',
        'stream_store',
        'add_rms_norm',
        'stream_swiglu',
        'stream_store',
      ],
    ]);
    expect(mapped).toEqual([]);
  });

  it('of a prompt: products by the library, and SwiGLU by itself', () => {
    const sink = run({ tokens: 300, logits: 1, decodeItems: 0, prefillTiles: 5 });
    expect(namesOf(sink).slice(2, 10)).toEqual([
      ...[
        'matmul',
        'rope_append',
        'attention_prefill',
        'matmul',
        'add_rms_norm',
        'matmul',
        'swiglu',
        'matmul',
      ],
    ]);
    const swiglu = sink.calls.find(([, name]) => name === 'swiglu')!;
    expect(lowered.plan.ops[swiglu[0]]?.kind).toBe('swiglu');
    // Its input is the product before it, whose rows are rounded up.
    expect(sink.matmuls[2]!.shape).toMatchObject({ m: 320, n: 22016 });
    const launch = sink.launches.find(({ kernel }) => kernel === 'swiglu')!;
    expect(launch.args.values['gateUp']).toBe(sink.matmuls[2]!.pointers.out);
    expect(launch.args.values['out']).toBe(sink.matmuls[3]!.pointers.x);
  });
});

describe('launches of a step of two ranks', () => {
  const LAYER_OF_RANK = [
    ...[
      'ring_store',
      'attention_decode_ring',
      'ring_store',
      'reduce_add_rms_norm',
      'ring_swiglu',
      'ring_store',
    ],
  ];
  const DECODE = [
    ...['embedding', 'rms_norm', ...LAYER_OF_RANK, 'reduce_add_rms_norm', ...LAYER_OF_RANK],
    ...['all_reduce_one_shot', 'add', 'gather', 'rms_norm', 'ring_f32', 'all_gather'],
  ];
  const at = (rank: number, connection: Partial<RankConnection> = {}) =>
    bind(H200, 'int8', { ranks: { rank, worldSize: 2 }, connection });

  it('of decode: sums end in norms, rank 0 samples and sends its tokens, the other takes them', () => {
    expect(namesOf(at(0).run({}))).toEqual([...DECODE, 'sample', 'share_tokens']);
    expect(namesOf(at(1).run({}))).toEqual([...DECODE, 'take_tokens']);
  });

  it('in parts: tokens are sent when they are sampled', () => {
    const { run } = at(0);
    expect(namesOf(run({}, 'forward'))).toEqual(DECODE);
    expect(namesOf(run({}, 'sampling'))).toEqual(['sample', 'share_tokens']);
  });

  it('of a prompt: sums take two shots, and norms come by themselves', () => {
    const sink = at(0).run({ tokens: 1024, logits: 1, decodeItems: 0, prefillTiles: 16 });
    const sums = sink.launches.filter(({ kernel }) => kernel === 'all_reduce_two_shot');
    expect(sums.map(({ args }) => args.values['vectors'])).toEqual(Array(4).fill(2 ** 19));
    const norms = sink.launches.filter(({ kernel }) => kernel === 'add_rms_norm');
    expect(norms.map(({ args }) => args.values['delta'])).toEqual(
      sums.slice(0, 3).map(({ args }) => args.values['x']),
    );
  });

  it('gather the logits of many rows in pieces of as many rows as a slot has room for', () => {
    const sink = at(1).run({ tokens: 40, logits: 40, decodeItems: 40 });
    const gathers = sink.launches
      .filter(({ kernel }) => kernel === 'all_gather')
      .map(({ args }) => args.values);
    expect(gathers.map(({ rows }) => rows)).toEqual([16, 16, 8]);
    expect(Number(gathers[1]!['x']) - Number(gathers[0]!['x'])).toBe(16 * 16_000 * 4);
    expect(Number(gathers[1]!['out']) - Number(gathers[0]!['out'])).toBe(16 * 32_000 * 4);
  });

  it('by a library: it sums in place, and what it brings is placed by a kernel', () => {
    const { run } = at(1, { hasPeerMemory: false, wayOf: () => 'library' });
    const sink = run({ tokens: 3, logits: 3 });
    const rows = { kind: 'allReduce', count: 3 * 4096, dtype: 'f16' };
    expect(sink.exchanges.slice(0, 4)).toMatchObject([rows, rows, rows, rows]);
    expect(sink.exchanges.slice(4)).toMatchObject([
      { kind: 'allGather', out: 0x800, count: 3 * 16_000 },
      { kind: 'broadcast', x: 0x800, count: 3 },
    ]);
    expect(namesOf(sink).slice(-4)).toEqual(['allGather', 'place_gathered', 'broadcast', 'place_tokens']);
  });
});
