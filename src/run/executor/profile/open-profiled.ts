/** Opens an engine so that every call of its steps is timed, and measures what its device can do. */
import { createCpuPool } from '../../../device/cpu/kernel-library.js';
import { CPU_LAYOUT_VERSION } from '../../../device/cpu/cpu-weight-layout.js';
import { CUDA_LAYOUT_VERSION } from '../../../device/cuda/cuda-weight-layout.js';
import { openGpu } from '../../../device/cuda/gpu.js';
import { measureGpuLimits } from '../../../device/cuda/limits.js';
import { KERNEL_TENSOR_PREFIX } from '../../../engine/format.js';
import { readManifest } from '../../../engine/manifest.js';
import { type EngineRank, openEngineRank } from '../../../engine/rank-file-reader.js';
import { measureLimits } from '../../../ops/cpu/limits.js';
import { arithmeticOf } from '../../../device/cpu/linear-arithmetic.js';
import type { WeightElement } from '../../../plan/weight-format.js';
import { inferPlan } from '../../../plan/infer.js';
import type { Executor } from '../executor.js';
import { openExecutor, type OpenEngineOptions } from '../open-engine.js';
import type { CostModel } from './op-cost.js';
import type { CallListener } from './timed-call.js';

/** What the device can do at most, measured. */
export interface DeviceRates {
  /** Reading memory that no cache holds, GB/s. */
  readonly readGBps: number;
  /** Multiply-adds (two operations each) of weights of an element type, GFLOP/s. */
  readonly peakGflops: (element: WeightElement) => number;
}

export interface ProfiledEngine {
  readonly executor: Executor;
  readonly rates: DeviceRates;
  readonly model: CostModel;
}

/** @throws {AloftError} as {@link openExecutor} does */
export async function openProfiled(
  options: OpenEngineOptions,
  listener: CallListener,
): Promise<ProfiledEngine> {
  const engine = openRank(options.engineDirectory);
  try {
    const { plan } = engine;
    const isCuda = engine.manifest.aloft.device === 'cuda';
    const rates = isCuda ? gpuRates(engine, options) : cpuRates(options);
    const executor = await openExecutor({ ...options, profile: listener });
    const { layerCount, kvHeadCount, headDim } = plan.dims;
    const cache = executor.memory.kvBytesPerToken / (2 * layerCount * kvHeadCount * headDim);
    return {
      executor,
      rates,
      model: { plan, inferred: inferPlan(plan), bytes: { activation: isCuda ? 2 : 4, cache } },
    };
  } finally {
    engine.dispose();
  }
}

function openRank(directory: string): EngineRank {
  const { device } = readManifest(directory).aloft;
  const layoutVersion = device === 'cuda' ? CUDA_LAYOUT_VERSION : CPU_LAYOUT_VERSION;
  return openEngineRank(directory, { rank: 0, worldSize: 1, device, layoutVersion, verification: 'sample' });
}

function cpuRates(options: OpenEngineOptions): DeviceRates {
  const pool = createCpuPool(options);
  try {
    const { readGBps, peakGops } = measureLimits(pool.library, pool.handle);
    const peakGflops = (element: WeightElement): number => {
      const [arithmetic, products] = arithmeticOf(element, pool.isa);
      return peakGops[arithmetic] / products;
    };
    return { readGBps, peakGflops };
  } finally {
    pool.dispose();
  }
}

/** Every product on a GPU is one of 16-bit numbers. */
function gpuRates(engine: EngineRank, { gpu: ordinal = 0, cudaLibraryPath }: OpenEngineOptions): DeviceRates {
  const gpu = openGpu(ordinal, cudaLibraryPath);
  try {
    const common = engine.tensor(`${KERNEL_TENSOR_PREFIX}common`).bytes();
    const dtype = engine.plan.activationDtype === 'bf16' ? 'bf16' : 'f16';
    const limits = measureGpuLimits({ gpu, common, dtype, libraryPath: cudaLibraryPath });
    return { readGBps: limits.readGBps, peakGflops: () => limits.matmulGflops };
  } finally {
    gpu.dispose();
  }
}
