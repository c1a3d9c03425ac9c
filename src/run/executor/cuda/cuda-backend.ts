import type { OpeningOptions } from '../../../core/engine-options.js';
import { invariant } from '../../../core/errors.js';
import { parseArchitecture } from '../../../device/cuda/architecture.js';
import { openGpu } from '../../../device/cuda/gpu.js';
import { measureGpuLimits } from '../../../device/cuda/limits.js';
import { KERNEL_TENSOR_PREFIX } from '../../../engine/format.js';
import { ACTIVATION_BYTES, cudaDtype } from '../../../ops/cuda/dtype.js';
import type { EngineRank } from '../../../engine/rank-file-reader.js';
import type { DeviceRates, ExecutorBackend, ExecutorSizing, SizingPlace } from '../opening/backend.js';
import type { OpenExecutorOptions } from '../opening/open-options.js';
import type { EngineShape } from '../opening/sizing.js';
import { sizeCudaEngine } from './cuda-sizing.js';
import { openCudaEngine, prepareCudaRank } from './open-cuda.js';

/** CUDA GPUs in the table of executors. */
export const CUDA_BACKEND: ExecutorBackend = {
  activationBytes: ACTIVATION_BYTES,
  size,
  open: openCudaEngine,
  prepare: prepareCudaRank,
  measureRates,
};

function size(shape: EngineShape, given: OpeningOptions, place: SizingPlace): ExecutorSizing {
  const { availableBytes, architecture } = place;
  invariant(architecture !== null, () => 'a CUDA engine has no architecture');
  return sizeCudaEngine(shape, given, { availableBytes, target: parseArchitecture(architecture) });
}

/** Every product on a GPU is one of 16-bit numbers. */
function measureRates(
  engine: EngineRank,
  { gpu: ordinal = 0, cudaLibraryPath }: OpenExecutorOptions,
): DeviceRates {
  const gpu = openGpu(ordinal, cudaLibraryPath);
  try {
    const common = engine.tensor(`${KERNEL_TENSOR_PREFIX}common`).bytes();
    const dtype = cudaDtype(engine.plan);
    const limits = measureGpuLimits({ gpu, common, dtype, libraryPath: cudaLibraryPath });
    // Tensor cores multiply bytes at twice the rate of 16 bits.
    const factor = { 8: 2 } as const;
    return {
      readGBps: limits.readGBps,
      peakGflops: (_, inputBits) => limits.matmulGflops * (inputBits === undefined ? 1 : factor[inputBits]),
    };
  } finally {
    gpu.dispose();
  }
}
