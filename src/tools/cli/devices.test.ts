import { expect, test } from 'vitest';
import type { CudaSurvey } from '../../device/cuda/survey.js';
import { cudaText } from './devices.js';
import { aloft } from './testing/command-line.js';

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

const NOTHING: CudaSurvey = {
  gpus: [],
  apart: [],
  driver: undefined,
  nvrtc: undefined,
  cublasLt: undefined,
  nccl: undefined,
  missing: [],
};

test('GPUs, libraries, and what is missing', () => {
  const text = cudaText({
    ...NOTHING,
    gpus: [GPU, { ...GPU, ordinal: 1, name: 'Tesla T4', computeCapability: 75 }],
    driver: '13.0',
    cublasLt: '13.1',
    missing: ['No usable NVRTC.'],
  });
  expect(text).toMatch(/^cuda:0 +NVIDIA H200 +sm_90a +132 +139(\.0)? GiB +GPU-0 +yes$/m);
  expect(text).toMatch(/^cuda:1 +Tesla T4 .* no, compute capability 8\.0/m);
  expect(text).toMatch(/^NVRTC +- +builds engines$/m);
  expect(text).toMatch(/^Missing: No usable NVRTC\.$/m);
  expect(cudaText(NOTHING)).toContain('No CUDA GPU.');
});

test('all facts as JSON', async () => {
  const { out } = await aloft('devices', '--json');
  expect(JSON.parse(out)).toMatchObject({
    cpu: { coreCount: expect.any(Number) },
    cuda: { gpus: expect.any(Array) },
  });
});

test('the way between ranks on several GPUs', () => {
  const pair = { ...NOTHING, gpus: [GPU, { ...GPU, ordinal: 1 }] };
  expect(cudaText(pair)).toMatch(/^Ranks on these GPUs exchange over each other's memory/m);
  const apart = { ...pair, apart: [[0, 1]] as const };
  expect(cudaText(apart)).toContain('0 and 1. Ranks on them exchange by NCCL, which is missing.');
  expect(cudaText({ ...apart, nccl: '2.28.3' })).toContain('exchange by NCCL 2.28.3.');
  expect(cudaText({ ...NOTHING, gpus: [GPU] })).not.toContain('Ranks');
});
