import { expect, test } from 'vitest';
import { kernelCandidates } from './choose.js';
import { configKey, parseConfigKey, parseWinners, problemKey } from './keys.js';
import { NAMED_FORMATS } from '../../../plan/weight-format.js';
import type { CudaLinearProblem } from './problem.js';
import { A100, B200, DENSE, FP8, H200, INT4, INT8 } from './testing/problems.js';

const QKV: CudaLinearProblem = { m: 1, n: 12288, k: 4096, format: INT8, epilogue: 'store' };

test.each([
  [1, '<=8'],
  [8, '<=8'],
  [9, '<=16'],
  [17, '<=32'],
  [33, '<=64'],
  [64, '<=64'],
  [65, '<=128'],
  [160, '<=192'],
  [1025, '<=2048'],
  [8192, '<=8192'],
  [8193, '>8192'],
  [65536, '>8192'],
])('%i rows are the class %s', (m, rows) => {
  expect(problemKey({ ...QKV, m })).toBe(`linear int8 12288x4096 store rows ${rows}`);
  expect(problemKey({ ...QKV, m, format: DENSE })).toBe(`linear dense 12288x4096 store rows ${rows}`);
  expect(problemKey({ ...QKV, m, format: INT4 })).toBe(`linear int4g128 12288x4096 store rows ${rows}`);
  expect(problemKey({ ...QKV, m, format: FP8 })).toBe(`linear fp8 12288x4096 store rows ${rows}`);
  const zeros = NAMED_FORMATS.int4_g64_zeros;
  expect(problemKey({ ...QKV, m, format: zeros })).toBe(`linear int4g64z 12288x4096 store rows ${rows}`);
});

test('keys are those of the engines and timing caches that exist', () => {
  const ring = { tilesPerWarp: 2, rowWarps: 1, kWarps: 4, boxes: 4, blocksPerMultiprocessor: 3 };
  const wide = { tokenGroups: 16, tilesPerWarp: 1, warpgroups: 2, boxes: 2, clusterBlocks: 1 };
  const known = {
    'ring 1 2 1 4 4 73728 3': { method: 'ring', tokenGroups: 1, sharedBytes: 73728, ...ring },
    'stream 2 8 1 2': { method: 'stream', tokenGroups: 2, warps: 8, tiles: 1, stages: 2 },
    'wide 16 1 2 2 1': { method: 'wide', ...wide },
    'cublasLt 130100 algorithm 3': { method: 'matmul', algorithm: 3 },
  };
  for (const [key, config] of Object.entries(known)) expect(parseConfigKey(key, 130100)).toEqual(config);
  expect(parseWinners({ ...{ a: 'wide 16 1 2 2 1', b: 'cublasLt 130000 algorithm 3' } }, 130100)).toEqual(
    new Map([['a', known['wide 16 1 2 2 1']]]),
  );
});

test('every configuration survives its key, and a proposal of another library version does not', () => {
  for (const m of [1, 16, 32, 64, 128, 512, 2048])
    for (const target of [H200, B200, A100])
      for (const format of [INT8, FP8, INT4])
        for (const config of kernelCandidates({ ...QKV, m, format }, target))
          expect(parseConfigKey(configKey(config, 1), 2)).toEqual(config);
  const proposal = { method: 'matmul', algorithm: 3 } as const;
  const key = configKey(proposal, 130100);
  expect(parseConfigKey(key, 130100)).toEqual(proposal);
  expect(parseConfigKey(key, 130101)).toBeUndefined();
  for (const bad of ['', 'ring 1 2', 'ring a b c d e f g', 'wide 8 1 1 4', 'wgmma 1 1 4 4 1 1 1'])
    expect(parseConfigKey(bad, 1)).toBeUndefined();
});
