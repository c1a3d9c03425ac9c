import { expect, test } from 'vitest';
import { chooseLinear, ringStages, type LinearProblem } from './cuda.js';
import {
  configKey,
  linearChooser,
  parseConfigKey,
  parseWinners,
  problemKey,
  kernelCandidates,
} from './tuning.js';

const H200 = { computeCapability: 90, multiprocessorCount: 132 };
const B200 = { computeCapability: 100, multiprocessorCount: 148 };
const A100 = { computeCapability: 80, multiprocessorCount: 108 };
const QKV: LinearProblem = { m: 1, n: 12288, k: 4096, isInt8: true, epilogue: 'store' };

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
});

test('every configuration survives its key, and a proposal of another library version does not', () => {
  for (const m of [1, 16, 32, 64, 128, 512, 2048])
    for (const target of [H200, B200, A100])
      for (const config of kernelCandidates({ ...QKV, m }, target))
        expect(parseConfigKey(configKey(config, 1), 2)).toEqual(config);
  const proposal = { method: 'matmul', algorithm: 3 } as const;
  const key = configKey(proposal, 130100);
  expect(parseConfigKey(key, 130100)).toEqual(proposal);
  expect(parseConfigKey(key, 130101)).toBeUndefined();
  for (const bad of ['', 'ring 1 2', 'ring a b c d e f g', 'wide 8 1 1 4', 'wgmma 1 1 4 4 1 1 1'])
    expect(parseConfigKey(bad, 1)).toBeUndefined();
});

test('candidates of few rows fit their ring, fuse where they must, and stream before Hopper', () => {
  for (const isInt8 of [true, false])
    for (const m of [8, 16, 32, 64])
      for (const epilogue of ['store', 'f32', 'swiglu'] as const) {
        const problem = { ...QKV, isInt8, m, epilogue };
        for (const config of kernelCandidates(problem, B200)) {
          expect(config.tokenGroups * 8).toBe(m);
          if (config.method !== 'ring') throw new Error('not a ring');
          expect(ringStages(config, problem)).toBeGreaterThanOrEqual(2);
          if (epilogue === 'swiglu') expect((config.tilesPerWarp * config.rowWarps) % 2).toBe(0);
        }
        const older = kernelCandidates(problem, A100);
        expect(older.length > 0).toBe(m <= 16);
        for (const config of older) expect(config).toMatchObject({ method: 'stream', tokenGroups: m / 8 });
      }
  expect(kernelCandidates(QKV, H200).length).toBeGreaterThan(3);
  for (const target of [B200, A100]) expect(kernelCandidates({ ...QKV, m: 65 }, target)).toEqual([]);
  expect(kernelCandidates({ ...QKV, m: 65, isInt8: false }, H200)).toEqual([]);
});

test('on Hopper, warpgroups multiply more than 16 rows of int8', () => {
  const methods = (m: number) => new Set(kernelCandidates({ ...QKV, m }, H200).map(({ method }) => method));
  expect([16, 17, 2048, 9000].map((m) => [...methods(m)])).toEqual([['ring'], ['wide'], ['wide'], ['wide']]);
  expect(kernelCandidates({ ...QKV, m: 32, epilogue: 'swiglu', n: 2 * 11000 }, H200)).toEqual([]);
});

test('a measured winner of cuBLASLt holds where the class is one of its shapes, elsewhere its first proposal', () => {
  const problem = { ...QKV, isInt8: false, m: 192 };
  const winners = parseWinners(
    { [problemKey(problem)]: configKey({ method: 'matmul', algorithm: 3 }, 0) },
    0,
  );
  const choose = linearChooser(H200, winners);
  expect(choose({ ...problem, m: 150 })).toEqual({ method: 'matmul', algorithm: 3 });
  winners.set(problemKey({ ...problem, m: 384 }), { method: 'matmul', algorithm: 3 });
  expect(choose({ ...problem, m: 321 })).toEqual({ method: 'matmul', algorithm: 3 });
  expect(choose({ ...problem, m: 320 })).toEqual({ method: 'matmul' });
});

test('a measured winner is chosen for its whole class, everything else is the built-in choice', () => {
  const [, , , other] = kernelCandidates(QKV, H200);
  const choose = linearChooser(H200, parseWinners({ [problemKey(QKV)]: configKey(other!, 0) }, 0));
  expect(choose({ ...QKV, m: 5 })).toEqual(other);
  expect(choose({ ...QKV, m: 9 })).toEqual(chooseLinear({ ...QKV, m: 9 }, H200));
  expect(choose({ ...QKV, k: 4160 })).toEqual(chooseLinear({ ...QKV, k: 4160 }, H200));
});
