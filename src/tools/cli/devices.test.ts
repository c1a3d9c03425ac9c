import { expect, test } from 'vitest';
import { cudaText } from './devices.js';

const GPU = {
  ordinal: 0,
  uuid: 'GPU-0',
  name: 'NVIDIA H200',
  computeCapability: 90,
  multiprocessorCount: 132,
  totalBytes: 139 * 2 ** 30,
  l2CacheBytes: 60e6,
  sharedBytesPerBlock: 232448,
  sharedBytesPerMultiprocessor: 233472,
  driverCudaVersion: 13000,
};

test('GPUs, libraries, and what is missing', () => {
  const text = cudaText({
    gpus: [GPU, { ...GPU, ordinal: 1, name: 'Tesla T4', computeCapability: 75 }],
    driver: '13.0',
    nvrtc: undefined,
    cublasLt: '13.1',
    missing: ['No usable NVRTC.'],
  });
  expect(text).toMatch(/^cuda:0 +NVIDIA H200 +sm_90a +132 +139(\.0)? GiB +yes$/m);
  expect(text).toMatch(/^cuda:1 +Tesla T4 .* no, compute capability 8\.0/m);
  expect(text).toMatch(/^NVRTC +- +builds engines$/m);
  expect(text).toMatch(/^Missing: No usable NVRTC\.$/m);
  const none = cudaText({ gpus: [], driver: undefined, nvrtc: undefined, cublasLt: undefined, missing: [] });
  expect(none).toContain('No CUDA GPU.');
});
