import { expect, test } from 'vitest';
import { AloftError } from '../../../core/errors.js';
import type { EngineManifest } from '../../../engine/manifest.js';
import { checkArchitecture, kernelFactsOf } from './open-cuda.js';

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
