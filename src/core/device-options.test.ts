import { expect, test } from 'vitest';
import { flagOf, foreignOptions, ownOptions, requireOwnOptions } from './device-options.js';

test('options of another kind of device are found, and switches that are off are not set', () => {
  const all = {
    gpu: 0,
    shareGpu: false,
    collectives: 'nccl',
    threadCount: 2,
    maxKvTokens: 64,
    overlap: true,
  } as const;
  expect(foreignOptions(all, 'cpu')).toEqual(['gpu', 'collectives']);
  expect(foreignOptions(all, 'cuda')).toEqual(['threadCount']);
  expect(foreignOptions({ shareGpu: true }, 'cpu')).toEqual(['shareGpu']);
  expect(ownOptions({ gpu: 1, maxKvTokens: 64 }, 'cpu')).toEqual({ maxKvTokens: 64 });
});

test('the first of them is refused by its flag', () => {
  const engine = { device: 'cuda', engine: 'the one in ./engine' } as const;
  expect(() => requireOwnOptions({ maxKvTokens: 64 }, engine)).not.toThrow();
  expect(() => requireOwnOptions({ mapWeights: true }, engine)).toThrow(
    "--mmap_weights is for engines that were built for 'cpu', and the one in ./engine was built for 'cuda'; leave it out.",
  );
  expect([flagOf('maxDeviceBytes'), flagOf('hostKvBytes')]).toEqual(['--max_device_memory', 'hostKvBytes']);
});
