import { expect, test } from 'vitest';
import { namedShape } from '../../../builder/random-weights/shapes.js';
import type { Gpu } from '../../../device/cuda/gpu.js';
import { lowerForCuda } from '../../../ops/cuda/lower.js';
import { benchmarkPlan } from '../../../builder/testing/benchmark-plans.js';
import { planKvBlocks } from '../opening/memory-plan.js';
import type { CudaExecutorOptions } from './cuda-executor-options.js';
import { cudaLimits, sizeCudaEngine, workspaceBytesOf } from './cuda-sizing.js';
import { allocateWorkspace, withCache } from './device-memory.js';
import { sizeCuda } from './memory-sizes.js';

const GIB = 2 ** 30;
const BUILT = {
  max_batch_size: 16,
  max_input_len: 2048,
  max_output_len: 512,
  max_num_tokens: null,
  tokens_per_block: 16,
};

/** Gives out addresses and counts bytes as the driver does; nothing is computed. */
function countingGpu(computeCapability: number, totalBytes: number) {
  let freeBytes = totalBytes;
  let address = 2 ** 40;
  let pageRest = 0;
  const PAGE = 2 << 20;
  const areas: { readonly purpose: string; readonly byteLength: number }[] = [];
  const gpu = {
    driver: { call: () => {}, check: () => {}, raw: () => () => 0 },
    properties: { computeCapability, multiprocessorCount: 132 },
    allocate(byteLength: number, purpose: string) {
      areas.push({ purpose, byteLength });
      if (byteLength >= PAGE / 2) freeBytes -= Math.ceil(byteLength / PAGE) * PAGE;
      else if (byteLength > pageRest) {
        freeBytes -= PAGE;
        pageRest = PAGE - byteLength;
      } else pageRest -= byteLength;
      address += Math.ceil(byteLength / PAGE) * PAGE;
      return address;
    },
    memoryInfo: () => ({ freeBytes, totalBytes }),
    upload: () => {},
    synchronize: () => {},
  };
  return { gpu: gpu as unknown as Gpu, areas };
}

test.each([
  [90, 'int8'],
  [90, 'dense'],
  [80, 'int8'],
] as const)(
  'a dry run counts what the executor allocates (compute capability %i, %s weights)',
  (capability, weights) => {
    const plan = benchmarkPlan({ shape: namedShape('llama2_7b'), dtype: 'f16', weights });
    const weightBytes = 7 * GIB;
    const shape = { plan, weightBytes, limits: BUILT };
    const target = { computeCapability: capability, multiprocessorCount: 132 };
    const given = { kvCacheFreeMemFraction: 0.8 };
    const dry = sizeCudaEngine(shape, given, { availableBytes: 20 * GIB, target });
    const { gpu, areas } = countingGpu(capability, 20 * GIB - weightBytes);
    const limits = cudaLimits(shape, given);
    const kv = {
      weightBytes,
      kvCacheFreeMemFraction: 0.8,
      maxKvTokens: undefined,
      maxDeviceBytes: undefined,
    };
    const options: CudaExecutorOptions = {
      plan,
      gpu,
      limits,
      kv,
      units: new Map(),
      tensorAddress: () => 1,
      cudaLibraryPath: undefined,
    };
    const { bytes } = sizeCuda(lowerForCuda(plan), limits, gpu.properties);
    const workspace = allocateWorkspace(options, lowerForCuda(plan));
    const memory = withCache(options, workspace, workspace.blockCount);
    const workspaceAreas = areas.filter(({ purpose }) => purpose !== 'the KV cache');
    expect(workspaceAreas.map(({ byteLength }) => byteLength).toSorted((a, b) => a - b)).toEqual(
      Object.values(bytes)
        .filter((size) => size > 0)
        .toSorted((a, b) => a - b),
    );
    expect(memory.workspaceBytes).toBe(dry.workspaceBytes);
    expect(memory.limits.blockCount).toBe(planKvBlocks(dry.demand));
    expect(memory.limits.blockCount).toBe(Math.floor((dry.demand.freeBytes * 0.8) / (16 * 524288)));
    expect(bytes.denseCopy).toBe(weights === 'int8' ? 22016 * 4096 * 2 : 0);
    expect(workspaceBytesOf({ bytes, maxLogits: 0, offset: () => 0, rows: () => 0 })).toBe(
      dry.workspaceBytes,
    );
  },
);

test('a model of embeddings gives the states of all tokens of a step, and has no area to sample in', () => {
  const choice = { shape: namedShape('tinyllama_1b'), dtype: 'f16', weights: 'dense' } as const;
  const bytesOf = (embeds: boolean) => {
    const plan = benchmarkPlan({ ...choice, embeds });
    const limits = cudaLimits({ plan, limits: BUILT }, {});
    const target = { computeCapability: 90, multiprocessorCount: 132 };
    return { limits, bytes: sizeCuda(lowerForCuda(plan), limits, target).bytes };
  };
  const [text, states] = [bytesOf(false), bytesOf(true)];
  expect([text.limits.maxLogits, states.limits.maxLogits]).toEqual([64, states.limits.maxStepTokens]);
  expect([text.bytes.sampleWork > 0, states.bytes.sampleWork, states.bytes.sampleCounts]).toEqual([
    true,
    0,
    0,
  ]);
});

test('the block size is compiled in, and every sequence needs a token of a step', () => {
  const plan = benchmarkPlan({ shape: namedShape('tinyllama_1b'), dtype: 'f16', weights: 'dense' });
  const shape = { plan, limits: BUILT };
  expect(() => cudaLimits(shape, { blockTokens: 32 })).toThrow(/compiled for the KV block size/);
  expect(() => cudaLimits(shape, { maxStepTokens: 8 })).toThrow(/--max_num_tokens is 8/);
  expect(cudaLimits(shape, { maxSequenceCount: 2 })).toMatchObject({ maxRows: 2, maxStepTokens: 5120 });
});
