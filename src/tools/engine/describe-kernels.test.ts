import { expect, test } from 'vitest';
import { describeKernels } from './describe-kernels.js';

const FACTS = {
  compiler: 'NVRTC 13.0',
  target: { computeCapability: 90, multiprocessorCount: 132 },
  isTuned: true,
  linear: { 'linear int8 12288x4096 store rows <=8': 'ring 1 2 1 4 4 73728 3' },
  resources: { sample: { sample: { registerCount: 62, sharedBytes: 2704, spillBytes: 16 } } },
};

test('kernels with their resources, and measured configurations', () => {
  const text = describeKernels(FACTS);
  expect(text).toMatch(/^Kernels compiled by NVRTC 13.0, tuned for 1 linear problems:$/m);
  expect(text).toMatch(/^sample\/sample +62 +2704 +16$/m);
  expect(text).toMatch(/^linear int8 12288x4096 store rows <=8 +ring 1 2 1 4 4 73728 3$/m);
  expect(describeKernels({ ...FACTS, isTuned: false, linear: {} })).toContain('not tuned');
});
