import { describe, expect, it } from 'vitest';
import { buildStep, type StepRow } from '../../../core/build-step.js';
import { GREEDY } from '../../../core/sampling.js';
import type { StepOutput } from '../../../core/step.js';
import { levelsUpTo, type IsaLevel } from '../../../device/cpu/isa.js';
import { createCpuPool, detectIsa, openKernelLibrary } from '../../../device/cpu/kernel-library.js';
import { CPU_KV_DTYPES, type CpuKvDtype } from '../../../ops/cpu/kv-layout.js';
import { relativeError } from '../../../ops/testing/compare.js';
import { CpuExecutor } from './cpu-executor.js';
import type { CpuExecutorLimits } from './cpu-executor-options.js';
import { describeExecutor } from '../testing/conformance.js';
import type { ModelFault, Subject } from '../testing/conformance-driver.js';
import { breakToken } from '../testing/break-token.js';
import type { Executor } from '../executor.js';
import { packForCpu } from '../testing/pack-test-model.js';
import { ReferenceExecutor } from '../reference/reference-executor.js';
import { createTestModel, SMALL_SHAPE, type TestModel, type TestModelShape } from '../testing/test-model.js';
import { INT8_PER_CHANNEL, NAMED_FORMATS } from '../../../plan/weight-format.js';

const LEVELS = levelsUpTo(detectIsa(openKernelLibrary()));

interface Setting {
  readonly isa: IsaLevel;
  readonly kvDtype: CpuKvDtype;
  readonly threadCount: number;
  readonly fault?: ModelFault | undefined;
}

function createExecutor(
  model: TestModel,
  limits: CpuExecutorLimits,
  { isa, kvDtype, threadCount, fault }: Setting,
): Executor {
  const pool = createCpuPool({ threadCount, isa });
  const packed = packForCpu(model.plan, (name) => model.weights.get(name)!, pool);
  if (fault !== undefined)
    breakToken(packed.bytes('embedding'), model.plan.dims.vocabulary, fault.nanTokenId);
  const executor = new CpuExecutor({ plan: model.plan, pool, ...packed, limits, kvDtype });
  const dispose = executor.dispose.bind(executor);
  executor.dispose = async () => {
    await dispose();
    packed.dispose();
  };
  return executor;
}

const INT8: TestModelShape = {
  ...SMALL_SHAPE,
  format: INT8_PER_CHANNEL,
  dense: 'f16',
  fused: true,
};

const FP8: TestModelShape = { ...INT8, format: NAMED_FORMATS.fp8 };

const INT4: TestModelShape = { ...INT8, format: NAMED_FORMATS.int4_g32 };

for (const isa of LEVELS) {
  const f32 = createTestModel();
  const subject = (model: TestModel, setting: Omit<Setting, 'isa'>): Subject => ({
    tolerance: 0,
    create: (limits, fault) => createExecutor(model, limits, { isa, fault, ...setting }),
  });
  describeExecutor(`CPU executor, ${isa}, f32`, subject(f32, { kvDtype: 'f32', threadCount: 2 }));
  const gemma = createTestModel({ ...INT8, isGemma: true });
  const windowed = `CPU executor, ${isa}, int8 with windows and soft caps`;
  describeExecutor(windowed, subject(gemma, { kvDtype: 'f16', threadCount: 2 }));
  const mixture = createTestModel({ ...SMALL_SHAPE, isMixture: true });
  describeExecutor(`CPU executor, ${isa}, experts`, subject(mixture, { kvDtype: 'f16', threadCount: 2 }));
  const int8 = createTestModel(INT8);
  describeExecutor(`CPU executor, ${isa}, int8`, subject(int8, { kvDtype: 'f16', threadCount: 3 }));
  const fp8 = createTestModel(FP8);
  describeExecutor(`CPU executor, ${isa}, fp8`, subject(fp8, { kvDtype: 'f16', threadCount: 2 }));
  const int4 = createTestModel(INT4);
  describeExecutor(`CPU executor, ${isa}, int4`, subject(int4, { kvDtype: 'f16', threadCount: 2 }));
  for (const kvDtype of ['i8', 'f8e4m3'] as const)
    describeExecutor(
      `CPU executor, ${isa}, f32 with a cache of ${kvDtype}`,
      subject(f32, { kvDtype, threadCount: 2 }),
    );
}

const LIMITS: CpuExecutorLimits = {
  maxStepTokens: 64,
  maxRows: 4,
  maxLogits: 64,
  blockTokens: 16,
  blockCount: 24,
  hostBlockCount: 0,
  maxSequenceTokens: 96,
};

/** A prompt of 40 tokens in two chunks and three decode tokens, all logits returned; a second row in the last step. */
async function runTrace(executor: Executor): Promise<readonly StepOutput[]> {
  const prompt = Array.from({ length: 40 }, (_, i) => (i * 37 + 11) % 101);
  for (const slot of [0, 1])
    executor.attachSlot({
      slot,
      sampling: { ...GREEDY, logprobs: 5 },
      isBeam: false,
      endIds: [],
      promptTokenIds: Int32Array.from(prompt),
      outputTokenIds: new Int32Array(0),
    });
  const row = (firstPosition: number, tokenIds: readonly number[]): StepRow => ({
    slot: 0,
    tokenIds,
    firstPosition,
    blocks: [5, 1, 20],
    wanted: tokenIds.map((_, index) => ({ index, target: -1 })).slice(-1),
  });
  const other: StepRow = { slot: 1, tokenIds: prompt.slice(3, 20), firstPosition: 0, blocks: [7, 8] };
  const steps = [
    [row(0, prompt.slice(0, 23))],
    [row(23, prompt.slice(23))],
    [row(40, [3])],
    [other, row(41, [4])],
  ];
  const outputs: StepOutput[] = [];
  for (const rows of steps) {
    executor.submit(buildStep(rows, { returnLogits: true }));
    outputs.push(await executor.collect());
  }
  await executor.dispose();
  return outputs;
}

const SHAPES: Readonly<Record<string, TestModelShape>> = {
  plain: SMALL_SHAPE,
  'fused with bias': { ...SMALL_SHAPE, fused: true, bias: true, seed: 2 },
  'one key/value head, odd sizes': {
    ...SMALL_SHAPE,
    dims: {
      ...SMALL_SHAPE.dims,
      hidden: 50,
      headCount: 5,
      kvHeadCount: 1,
      headDim: 10,
      intermediate: 33,
      vocabulary: 101,
    },
  },
  f16: { ...SMALL_SHAPE, format: { type: 'dense', dtype: 'f16' }, dense: 'f16' },
  bf16: { ...SMALL_SHAPE, format: { type: 'dense', dtype: 'bf16' }, dense: 'bf16' },
  int8: INT8,
  'windows, soft caps and norms of heads': { ...SMALL_SHAPE, isGemma: true },
  'the same, fused, in int8': { ...INT8, isGemma: true },
  'a mixture of experts': { ...SMALL_SHAPE, isMixture: true },
  'the same in int8': { ...INT8, isMixture: true },
  'a mixture in int4': { ...INT4, isMixture: true },
  int4: INT4,
  'dynamic rope': {
    ...SMALL_SHAPE,
    rope: { theta: 10_000, scaling: { type: 'dynamic', factor: 2, originalMaxPositions: 16 } },
  },
  'llama3 rope': {
    ...SMALL_SHAPE,
    rope: {
      theta: 500_000,
      scaling: {
        type: 'llama3',
        factor: 8,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalMaxPositions: 32,
      },
    },
  },
};

/**
 * Largest difference of logits, relative to the largest. In 8 bits a key that differs in its last bit may get the
 * neighbouring code, one of eight in these small heads. Seen: 1.8e-3 and 3.5e-3.
 */
const TOLERANCE = { f32: 5e-4, f16: 5e-4, i8: 5e-3, f8e4m3: 1e-2 } as const;

describe('CPU executor against the reference executor', () => {
  it.each(Object.keys(SHAPES).flatMap((name) => CPU_KV_DTYPES.map((kvDtype) => [name, kvDtype] as const)))(
    'computes the logits of model %s with a cache of %s',
    async (name, kvDtype) => {
      const model = createTestModel(SHAPES[name]);
      const weight = (weightName: string) => model.weights.get(weightName)!;
      const expected = await runTrace(
        new ReferenceExecutor({ plan: model.plan, weight, limits: LIMITS, kvDtype }),
      );
      for (const isa of LEVELS) {
        const actual = await runTrace(createExecutor(model, LIMITS, { isa, kvDtype, threadCount: 2 }));
        for (const [i, output] of actual.entries()) {
          expect(relativeError(output.logits!, expected[i]!.logits!), `${isa}, step ${i}`).toBeLessThan(
            TOLERANCE[kvDtype],
          );
          expect(output.tokenIds, isa).toEqual(expected[i]!.tokenIds);
          expect(relativeError(output.logprobs, expected[i]!.logprobs), isa).toBeLessThan(TOLERANCE[kvDtype]);
        }
      }
    },
  );
});

describe('CPU executor', () => {
  it('says where its memory went', async () => {
    const model = createTestModel();
    const executor = createExecutor(model, LIMITS, { isa: LEVELS[0]!, kvDtype: 'f16', threadCount: 1 });
    const { memory } = executor;
    // 2 layers of 2 key/value heads: keys of 8 and values padded to 16, two bytes each.
    expect(memory.kvBytesPerToken).toBe(2 * 2 * (8 + 16) * 2);
    expect(memory.kvBytes).toBe(24 * 16 * memory.kvBytesPerToken);
    expect([memory.hostKvBytes, memory.weightBytes > 0, memory.workspaceBytes > 64 * 48 * 4]).toEqual([
      0,
      true,
      true,
    ]);
    await executor.dispose();
    const quantised = createExecutor(model, LIMITS, { isa: LEVELS[0]!, kvDtype: 'i8', threadCount: 1 });
    // One byte an element, and four for the scale of each key and value.
    expect(quantised.memory.kvBytesPerToken).toBe(2 * 2 * (8 + 16 + 2 * 4));
    await quantised.dispose();
  });
});
