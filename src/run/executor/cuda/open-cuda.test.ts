import { describe, expect, test } from 'vitest';
import { AloftError } from '../../../core/errors.js';
import type { EngineManifest } from '../../../engine/manifest.js';
import { checkArchitecture, copyMachineCode, kernelFactsOf, ordinalOfRank } from './open-cuda.js';

const GPU = { ordinal: 0, name: 'NVIDIA A100', computeCapability: 80 };
const engineFor = (architecture: string) => ({
  directory: 'engine',
  manifest: { aloft: { device_architecture: architecture } } as EngineManifest,
});

test('an engine runs on its own architecture only', () => {
  expect(() => checkArchitecture(engineFor('sm_80'), GPU)).not.toThrow();
  const moved = (): void => checkArchitecture(engineFor('sm_90a'), GPU);
  expect(moved).toThrow(AloftError);
  expect(moved).toThrow(/built for sm_90a, and GPU 0 \(NVIDIA A100\) is sm_80; .*--arch sm_80/);
});

test('an engine that does not say which kernels it holds is to be built again', () => {
  const facts = { isTuned: false };
  expect(kernelFactsOf({ directory: 'engine', kernelFacts: facts })).toBe(facts);
  expect(() => kernelFactsOf({ directory: 'engine', kernelFacts: undefined })).toThrow(/build it again/);
});

test('machine code outlives the mapping of the engine that holds it', () => {
  const mapped = Uint8Array.of(1, 2, 3);
  const engine = {
    tensorNames: ['layers.0.qkv', 'kernels.common'],
    tensor: () => ({ dtype: 'u8', shape: [3], address: 0, byteLength: 3, bytes: () => mapped }) as const,
  };
  const units = copyMachineCode(engine);
  mapped.fill(0);
  expect([...units]).toEqual([['common', Uint8Array.of(1, 2, 3)]]);
});

describe('the GPU of a rank', () => {
  const place = { job: 'job', rank: 1, worldSize: 2, version: '1' };
  const ordinals = (count: number, more: object = {}) =>
    [0, 1].map((rank) =>
      ordinalOfRank({ engineDirectory: 'engine', worldSize: 2, rank, ...more }, () => count),
    );

  test('is the one after that of the rank before, from --gpu on', () => {
    expect([ordinals(2), ordinals(8, { gpu: 5 })]).toEqual([
      [0, 1],
      [5, 6],
    ]);
    expect(ordinalOfRank({ engineDirectory: 'engine', gpu: 3 }, () => 4)).toBe(3);
  });

  test('is the only one that a launcher shows to a process, or one that ranks may share', () => {
    expect([ordinals(1, { place }), ordinals(1, { shareGpu: true })]).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test.each([
    ['one rank', {}],
    ['ranks that share', { worldSize: 2, shareGpu: true }],
    ['ranks of a launcher', { worldSize: 2, place }],
  ])('is not one beyond the last, for %s', (_, more: object) => {
    const beyond = (count: number) =>
      ordinalOfRank({ engineDirectory: 'engine', gpu: 2, ...more }, () => count);
    expect(() => beyond(2)).toThrow(
      '--gpu is 2, but this machine shows 2 GPUs, counted from 0; give a smaller',
    );
    expect(() => beyond(1)).toThrow(/shows 1 GPU, counted/);
  });

  test('is missing where there are fewer than ranks', () => {
    expect(() => ordinals(1)).toThrow(/on 2 GPUs, one for each rank, and this machine shows 1;.*--share_gpu/);
    expect(() => ordinals(3, { gpu: 2 })).toThrow(/shows 3, of which --gpu 2 leaves out 2;/);
  });
});
