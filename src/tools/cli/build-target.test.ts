import { expect, test } from 'vitest';
import { SILENT_LOG } from '../../core/log.js';
import { deviceSurvey } from '../../device/cuda/cuda-device.js';
import type { GpuProperties } from '../../device/cuda/gpu.js';
import type { CudaSurvey } from '../../device/cuda/survey.js';
import { automaticDevice, openBuildTarget } from './build-target.js';

const H200: GpuProperties = {
  ordinal: 0,
  uuid: 'GPU-0',
  name: 'NVIDIA H200',
  computeCapability: 90,
  multiprocessorCount: 132,
  totalBytes: 150e9,
  l2CacheBytes: 60e6,
  sharedBytesPerBlock: 232448,
  sharedBytesPerMultiprocessor: 233472,
  driverCudaVersion: 13000,
};
const WHOLE: CudaSurvey = {
  gpus: [H200],
  driver: '13.0',
  nvrtc: '13.0',
  cublasLt: '13.0',
  missing: [],
};

test('a usable GPU is taken', () => {
  expect(automaticDevice(() => deviceSurvey(WHOLE), 'float16')).toEqual({ device: 'cuda' });
});

test('without a GPU the CPU is taken silently', () => {
  const none = { ...WHOLE, gpus: [], missing: ['No driver.'] };
  expect(automaticDevice(() => deviceSurvey(none), 'float16')).toEqual({ device: 'cpu' });
});

test.each([
  ['float32', WHOLE, /NVIDIA H200\): it computes in float16 or bfloat16\./],
  ['float16', { ...WHOLE, nvrtc: undefined, missing: ['No usable NVRTC.'] }, /No usable NVRTC/],
  ['float16', { ...WHOLE, gpus: [{ ...H200, computeCapability: 75 }] }, /below 8\.0/],
] as const)('a GPU that is passed over is named, with the reason (%s)', (precision, survey, why) => {
  const choice = automaticDevice(() => deviceSurvey(survey), precision);
  expect(choice.device).toBe('cpu');
  expect(choice.why).toMatch(why);
});

test('--arch is a mistake for a CPU and must name an architecture', () => {
  expect(() => openBuildTarget({ device: 'cpu', arch: 'sm_90a' }, 'float16', SILENT_LOG)).toThrow(/--arch/);
  expect(() => openBuildTarget({ device: 'cuda', arch: 'sm_20' }, 'float16', SILENT_LOG)).toThrow(/sm_80/);
});
