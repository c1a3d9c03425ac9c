/** CUDA GPUs in the table of devices. */
import { checkCudaPlan } from '../../ops/cuda/check-plan.js';
import type { DeviceSupport, DeviceSurvey, MemoryGauge } from '../device-support.js';
import { CUDA_LAYOUT } from './cuda-weight-layout.js';
import { openGpu } from './gpu.js';
import { type CudaSurvey, surveyCuda, usableGpu } from './survey.js';

export const CUDA_DEVICE: DeviceSupport = {
  name: 'cuda',
  layout: CUDA_LAYOUT,
  precisions: ['float16', 'bfloat16'],
  checkPlan: checkCudaPlan,
  survey: ({ cudaLibraryPath }) => deviceSurvey(surveyCuda(cudaLibraryPath)),
  openMemoryGauge: ({ gpu = 0, cudaLibraryPath }) => memoryGauge(gpu, cudaLibraryPath),
};

/** Reduces a survey of CUDA to what every kind of device answers. */
export function deviceSurvey(survey: CudaSurvey): DeviceSurvey {
  const [first] = survey.gpus;
  const isUsable = usableGpu(survey) !== undefined;
  return {
    name: first?.name,
    memoryBytes: first?.totalBytes ?? 0,
    obstacle: isUsable ? undefined : (survey.missing[0] ?? 'its compute capability is below 8.0.'),
  };
}

function memoryGauge(ordinal: number, libraryPath: string | undefined): MemoryGauge {
  const gpu = openGpu(ordinal, libraryPath);
  return {
    usedBytes() {
      const { freeBytes, totalBytes } = gpu.memoryInfo();
      return totalBytes - freeBytes;
    },
    dispose: () => gpu.dispose(),
  };
}
