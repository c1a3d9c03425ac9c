import { expect, test } from 'vitest';
import { spillingKernels } from './kernel-facts.js';
import { parseResourceReport } from './resource-report.js';

const NVRTC_LOG = `ptxas info    : 120 bytes gmem
ptxas info    : Compiling entry function 'sample' for 'sm_90a'
ptxas info    : Function properties for sample
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 62 registers, used 1 barriers, 2704 bytes smem
ptxas info    : Compile time = 953.926 ms
ptxas info    : Compiling entry function 'dequantise' for 'sm_90a'
ptxas info    : Function properties for dequantise
ptxas         .     16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers
`;

test('registers, shared memory and spills are read by kernel', () => {
  expect(parseResourceReport(NVRTC_LOG)).toEqual({
    sample: { registerCount: 62, sharedBytes: 2704, spillBytes: 0 },
    dequantise: { registerCount: 32, sharedBytes: 0, spillBytes: 20 },
  });
  expect(parseResourceReport('')).toEqual({});
});

test('spilling kernels are named', () => {
  const facts = {
    compiler: 'NVRTC 13.0',
    isTuned: false,
    linear: {},
    target: { computeCapability: 90, multiprocessorCount: 132 },
    resources: { common: parseResourceReport(NVRTC_LOG) },
  };
  expect(spillingKernels(facts)).toEqual(['common/dequantise (20 bytes)']);
});
