import { describe, expect, test } from 'vitest';
import type { LinkSurvey, PairLink } from '../../device/cuda/gpu-links.js';
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

const NO_LINKS: LinkSurvey = { pairs: [], nvml: undefined, nccl: undefined, notes: [] };
const NOTHING: CudaSurvey = {
  gpus: [],
  driver: undefined,
  nvrtc: undefined,
  cublasLt: undefined,
  missing: [],
};

test('GPUs, libraries, and what is missing', () => {
  const text = cudaText(
    {
      ...NOTHING,
      gpus: [GPU, { ...GPU, ordinal: 1, name: 'Tesla T4', computeCapability: 75 }],
      driver: '13.0',
      cublasLt: '13.1',
      missing: ['No usable NVRTC.'],
    },
    NO_LINKS,
  );
  expect(text).toMatch(/^cuda:0 +NVIDIA H200 +sm_90a +132 +139(\.0)? GiB +GPU-0 +yes$/m);
  expect(text).toMatch(/^cuda:1 +Tesla T4 .* no, compute capability 8\.0/m);
  expect(text).toMatch(/^NVRTC +- +builds engines$/m);
  expect(text).toMatch(/^Missing: No usable NVRTC\.$/m);
  expect(cudaText(NOTHING, NO_LINKS)).toContain('No CUDA GPU.');
});

test('all facts as JSON', async () => {
  const { out } = await aloft('devices', '--json');
  expect(JSON.parse(out)).toMatchObject({
    cpu: { coreCount: expect.any(Number) },
    cuda: { gpus: expect.any(Array), links: { pairs: expect.any(Array) } },
  });
});

describe('links between GPUs', () => {
  const pair = (gpus: readonly [number, number], more: Partial<PairLink> = {}): PairLink => ({
    gpus,
    reachesMemory: true,
    hasAtomics: true,
    performanceRank: 0,
    path: { type: 'nvlink', linkCount: 18, isThroughSwitch: true },
    ...more,
  });
  const textOf = (links: Partial<LinkSurvey>): string =>
    cudaText({ ...NOTHING, gpus: [GPU, { ...GPU, ordinal: 1 }] }, { ...NO_LINKS, nvml: '13.1', ...links });

  test('pairs that are linked alike share a row', () => {
    const text = textOf({ pairs: [pair([0, 1]), pair([0, 2]), pair([1, 2])] });
    expect(text).toMatch(/^0-1 0-2 1-2 +NVLink, 18 links to a switch +yes +each other's memory$/m);
    expect(text).toMatch(
      /^Ranks exchange over each other's memory if that proves to work when an engine opens/m,
    );
    expect(text).toContain('Links are those that NVML 13.1 knows.');
  });

  test.each<[string, Partial<PairLink>, RegExp]>([
    [
      'one link',
      { path: { type: 'nvlink', linkCount: 1, isThroughSwitch: false } },
      /^0-1 +NVLink, 1 link +yes/m,
    ],
    ['PCIe', { path: { type: 'pcie', ancestor: 'host bridge' } }, /^0-1 +PCIe through one host bridge +yes/m],
    ['no atomics', { hasAtomics: false }, /^0-1 .* no +each other's memory$/m],
    ['not known', { path: undefined }, /^0-1 +not known +yes +each other's memory$/m],
  ])('%s', (_, more, line) => {
    expect(textOf({ pairs: [pair([0, 1], more)] })).toMatch(line);
  });

  test('GPUs that do not reach each other need NCCL, which may be missing', () => {
    const apart = pair([0, 2], { reachesMemory: false, path: { type: 'pcie', ancestor: 'system' } });
    const pairs = [pair([0, 1]), apart];
    const text = textOf({ pairs, nccl: '2.28.3' });
    expect(text).toMatch(/^0-2 +PCIe between NUMA nodes +yes +NCCL 2\.28\.3$/m);
    expect(text).toContain('all of them take NCCL where two of their GPUs need it');
    const without = textOf({ pairs, nvml: undefined, notes: ['No usable libnccl.so.2.'] });
    expect(without).toMatch(/^0-2 .* NCCL, which is missing$/m);
    expect(without).toMatch(/^No usable libnccl\.so\.2\.$/m);
    expect(without).not.toContain('NVML');
  });

  test('one GPU has none', () => {
    expect(cudaText({ ...NOTHING, gpus: [GPU] }, NO_LINKS)).not.toContain('anks');
  });
});
