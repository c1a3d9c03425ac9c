/** Measures the CUDA executor on random weights: decode tokens per second of static batches, and prefill. */
import { buildStep, type StepRow } from '../../../core/build-step.js';
import { seededRandom } from '../../../core/random.js';
import { GREEDY } from '../../../core/sampling.js';
import { openGpu } from '../../../device/cuda/gpu.js';
import { createKernels } from '../../../device/cuda/kernels.js';
import { architectureName } from '../../../device/cuda/architecture.js';
import { compileUnits, kernelUnits } from '../../../builder/cuda/kernel-sources.js';
import { kernelSource } from '../../../ops/cuda/kernel-files.js';
import type { Nvrtc } from '../../../device/cuda/nvrtc.js';
import { createStream } from '../../../device/cuda/stream.js';
import type { Executor } from '../../../run/executor/executor.js';
import { openCudaExecutor } from '../../../run/executor/cuda/cuda-executor.js';
import { benchmarkPlan, drawWeights, type PlanChoice } from '../../../builder/testing/benchmark-plans.js';

const BLOCK_TOKENS = 16;

export interface ThroughputLimits {
  readonly maxStepTokens: number;
  readonly maxRows: number;
  readonly maxSequenceTokens: number;
  readonly maxDeviceBytes: number | undefined;
}

/** Opens an executor over weights drawn on the device. */
export function openRandomExecutor(
  choice: PlanChoice,
  limits: ThroughputLimits,
  { nvrtc, libraryPath }: { readonly nvrtc: Nvrtc; readonly libraryPath: string | undefined },
): Executor {
  const plan = benchmarkPlan(choice);
  const gpu = openGpu(0, libraryPath);
  const arch = architectureName(gpu.properties.computeCapability);
  const defines: Record<string, number> = choice.dtype === 'bf16' ? { ACT_BF16: 1 } : {};
  const kernels = createKernels(gpu.driver, gpu.properties.computeCapability);
  const source = kernelSource(['cuda/random.cu']);
  const random = nvrtc.compile({ name: 'random', ...source, arch, defines, isFastMath: true });
  kernels.load('random', random.cubin);
  const stream = createStream(gpu.driver);
  const weights = drawWeights(gpu, kernels, stream, plan);
  stream.dispose();
  const units = compileUnits(nvrtc, kernelUnits(plan, gpu.properties, BLOCK_TOKENS));
  return openCudaExecutor({
    plan,
    gpu,
    units: new Map(Array.from(units, ([name, unit]) => [name, unit.cubin])),
    tensorAddress: weights.address,
    limits: {
      maxStepTokens: limits.maxStepTokens,
      maxRows: limits.maxRows,
      maxLogits: limits.maxRows,
      ...{
        blockTokens: BLOCK_TOKENS,
        blockCount: 0,
        hostBlockCount: 0,
        maxSequenceTokens: limits.maxSequenceTokens,
      },
    },
    kv: {
      weightBytes: weights.byteLength,
      kvCacheFreeMemFraction: 0.9,
      maxKvTokens: undefined,
      maxDeviceBytes: limits.maxDeviceBytes,
    },
    cudaLibraryPath: libraryPath,
  });
}

export interface BatchWork {
  readonly batch: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface BatchResult extends BatchWork {
  /** Generated tokens of the whole batch per second, prompt processing included. */
  readonly tokensPerSecond: number;
  readonly prefillMs: number;
  /** Median device time of a decode step. */
  readonly stepMs: number;
  /** Host time of one decode step's calls: median. */
  readonly hostUs: number;
}

/** A static batch with constant lengths; end ids are ignored. Steps are one ahead of their results. */
export async function measureBatch(executor: Executor, work: BatchWork): Promise<BatchResult> {
  const { batch, inputTokens, outputTokens } = work;
  const random = seededRandom(5);
  const { maxStepTokens } = executor.limits;
  const blocksEach = Math.ceil((inputTokens + outputTokens) / BLOCK_TOKENS);
  if (blocksEach * batch > executor.limits.blockCount)
    throw new Error('the batch does not fit into the cache');
  const prompts = Array.from({ length: batch }, () =>
    Array.from({ length: inputTokens }, () => Math.floor(random.next() * executor.limits.vocabulary)),
  );
  const blocks = prompts.map((_, row) => Array.from({ length: blocksEach }, (_, i) => row * blocksEach + i));
  for (let slot = 0; slot < batch; slot++)
    executor.attachSlot({
      slot,
      sampling: GREEDY,
      isBeam: false,
      endIds: [],
      promptTokenIds: Int32Array.from(prompts[slot]!),
      outputTokenIds: new Int32Array(0),
    });
  let stepId = 0;
  const start = performance.now();
  let rows: StepRow[] = [];
  let tokens = 0;
  let waiting = 0;
  const flush = async (): Promise<void> => {
    executor.submit(buildStep(rows, { stepId: stepId++ }));
    [rows, tokens] = [[], 0];
    if (++waiting === 2) {
      await executor.collect();
      waiting--;
    }
  };
  for (let slot = 0; slot < batch; slot++) {
    for (let cached = 0; cached < inputTokens;) {
      const take = Math.min(inputTokens - cached, maxStepTokens - tokens);
      const tokenIds = prompts[slot]!.slice(cached, cached + take);
      rows.push({ slot, tokenIds, firstPosition: cached, blocks: blocks[slot]! });
      cached += take;
      tokens += take;
      if (tokens === maxStepTokens) await flush();
    }
  }
  if (rows.length > 0) await flush();
  while (waiting > 0) {
    await executor.collect();
    waiting--;
  }
  const prefillMs = performance.now() - start;

  const stepMs: number[] = [];
  const hostUs: number[] = [];
  const collect = async (): Promise<void> => {
    stepMs.push((await executor.collect()).deviceMs);
    waiting--;
  };
  for (let n = 1; n < outputTokens; n++) {
    const decode = prompts.map((_, slot) => ({
      slot,
      tokenIds: [-1],
      firstPosition: inputTokens + n - 1,
      blocks: blocks[slot]!,
    }));
    const step = buildStep(decode, { stepId: stepId++ });
    const before = performance.now();
    executor.submit(step);
    hostUs.push((performance.now() - before) * 1000);
    if (++waiting === 2) await collect();
  }
  while (waiting > 0) await collect();
  for (let slot = 0; slot < batch; slot++) executor.detachSlot(slot);
  const seconds = (performance.now() - start) / 1000;
  return {
    ...work,
    tokensPerSecond: (batch * outputTokens) / seconds,
    prefillMs,
    stepMs: median(stepMs),
    hostUs: median(hostUs),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
