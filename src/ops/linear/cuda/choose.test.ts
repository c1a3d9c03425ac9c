import { describe, expect, it, test } from 'vitest';
import { ROW_CLASSES, rowClass } from './row-classes.js';
import { canEndWith, chooseLinear, kernelCandidates, linearCandidates, linearChooser } from './choose.js';
import { configKey, parseWinners, problemKey } from './keys.js';
import { methodOf } from './methods.js';
import type { CudaLinearProblem } from './problem.js';
import { A100, B200, DENSE, FP8, H200, INT4, INT8, kernelLaunchOf, problemsOf } from './testing/problems.js';

const MAX_SHARED_BYTES = 227 << 10;
const QKV: CudaLinearProblem = { m: 1, n: 12288, k: 4096, format: INT8, epilogue: 'store' };

describe('the built-in choice', () => {
  it.each([
    ['H200', H200],
    ['A100', A100],
  ])('is a kernel for %s that holds all tokens and fits into shared memory', (_, device) => {
    let kernelCount = 0;
    for (const problem of problemsOf([1, 7, 8, 9, 16, 17, 32, 33, 64, 65, 200, 2048])) {
      const config = chooseLinear(problem, device);
      const kernel = methodOf(config).kernel(config, problem);
      if (kernel === undefined) continue;
      kernelCount++;
      const launch = kernelLaunchOf(config, problem);
      expect(launch.sharedBytes).toBeLessThanOrEqual(MAX_SHARED_BYTES);
      expect(launch.blockThreads).toBeLessThanOrEqual(1024);
      expect(launch.grid[0]).toBeGreaterThan(0);
      expect(kernel).toMatchObject({ unit: launch.unit, name: launch.kernel });
      expect(kernel.line).toContain(`(${launch.kernel}, `);
    }
    expect(kernelCount).toBeGreaterThan(100);
  });

  it('streams few rows, and multiplies many with warpgroups where these take the weights, else with cuBLASLt', () => {
    const problem = { n: 4096, k: 4096, format: INT8, epilogue: 'store' } as const;
    for (const format of [INT8, FP8, INT4]) {
      const methods = [16, 17, 8192, 8193].map((m) => chooseLinear({ ...problem, format, m }, H200).method);
      expect(methods).toEqual(['ring', 'wide', 'wide', 'wide']);
    }
    expect(chooseLinear({ ...problem, m: 65 }, B200).method).toBe('matmul');
    expect(chooseLinear({ ...problem, m: 64 }, B200).method).toBe('ring');
    expect(chooseLinear({ ...problem, m: 64, format: DENSE }, H200).method).toBe('matmul');
    expect(chooseLinear({ ...problem, m: 64, n: 4095 }, H200).method).toBe('ring');
    expect(chooseLinear({ ...problem, m: 16 }, A100).method).toBe('stream');
    expect(chooseLinear({ ...problem, m: 17 }, A100).method).toBe('matmul');
    expect(chooseLinear({ ...problem, m: 1, format: INT4 }, A100).method).toBe('stream');
  });

  it('is the same for all rows of a class, which an executor looks up once', () => {
    const rows = ROW_CLASSES.flatMap((most) => [most - 5, most - 1, most, most + 1]).filter((m) => m > 0);
    for (const device of [H200, B200, A100])
      for (const problem of problemsOf([...rows, 2, 3, 20000]))
        expect(chooseLinear(problem, device)).toEqual(
          chooseLinear({ ...problem, m: rowClass(problem.m) }, device),
        );
  });
});

describe('candidates', () => {
  it('fuse where they must, and stream before Hopper', () => {
    for (const format of [INT8, FP8, INT4, DENSE])
      for (const m of [8, 16, 32, 64])
        for (const epilogue of ['store', 'f32', 'swiglu'] as const) {
          const problem = { ...QKV, format, m, epilogue };
          for (const config of kernelCandidates(problem, B200)) {
            expect(config).toMatchObject({ method: 'ring', tokenGroups: m / 8 });
            expect(canEndWith(config, problem)).toBe(true);
          }
          const older = kernelCandidates(problem, A100);
          expect(older.length > 0).toBe(m <= 16);
          for (const config of older) expect(config).toMatchObject({ method: 'stream', tokenGroups: m / 8 });
        }
    expect(kernelCandidates(QKV, H200).length).toBeGreaterThan(3);
    for (const target of [B200, A100]) expect(kernelCandidates({ ...QKV, m: 65 }, target)).toEqual([]);
    expect(kernelCandidates({ ...QKV, m: 65, format: DENSE }, H200)).toEqual([]);
  });

  it('are warpgroups for more than 16 rows of int8 on Hopper', () => {
    const methods = (m: number) => new Set(kernelCandidates({ ...QKV, m }, H200).map(({ method }) => method));
    expect([16, 17, 2048, 9000].map((m) => [...methods(m)])).toEqual([
      ['ring'],
      ['wide'],
      ['wide'],
      ['wide'],
    ]);
    expect(kernelCandidates({ ...QKV, m: 32, epilogue: 'swiglu', n: 2 * 11000 }, H200)).toEqual([]);
  });

  it('of the tuner find weights in the form of the built-in choice, each once', () => {
    const asked: number[] = [];
    const proposalCount = ({ m }: CudaLinearProblem): number => asked.push(m) && 3;
    const device = { ...H200, sharedBytesPerBlock: MAX_SHARED_BYTES, proposalCount };
    const keysOf = (problem: CudaLinearProblem) =>
      linearCandidates(problem, device).map((config) => configKey(config, 1));
    for (const problem of problemsOf([8, 16, 64, 512])) {
      const [first, ...others] = keysOf(problem);
      expect(first).toBe(configKey(chooseLinear(problem, H200), 1));
      expect(others).not.toContain(first);
    }
    // INT8 weights that kernels read as they are stored are no operands of cuBLASLt, which has no SwiGLU either.
    asked.length = 0;
    expect(keysOf({ ...QKV, m: 8 }).some((key) => key.startsWith('cublasLt'))).toBe(false);
    expect(keysOf({ ...QKV, m: 8, format: DENSE, epilogue: 'swiglu' }).join()).not.toContain('cublasLt');
    expect(asked).toEqual([]);
    expect(keysOf({ ...QKV, m: 64, format: DENSE })).toContain('cublasLt 1 algorithm 2');
    expect(linearCandidates({ ...QKV, m: 65 }, { ...device, ...A100 }).map(({ method }) => method)).toEqual([
      ...['matmul', 'matmul', 'matmul'],
    ]);
    const small = { ...device, ...B200, sharedBytesPerBlock: 80 << 10 };
    for (const config of linearCandidates({ ...QKV, m: 8 }, small).slice(1))
      expect((config as { sharedBytes: number }).sharedBytes).toBeLessThanOrEqual(80 << 10);
  });
});

test('a measured winner is chosen for its whole class, everything else is the built-in choice', () => {
  const [, , , other] = kernelCandidates(QKV, H200);
  const choose = linearChooser(H200, parseWinners({ [problemKey(QKV)]: configKey(other!, 0) }, 0));
  expect(choose({ ...QKV, m: 5 })).toEqual(other);
  expect(choose({ ...QKV, m: 9 })).toEqual(chooseLinear({ ...QKV, m: 9 }, H200));
  expect(choose({ ...QKV, k: 4160 })).toEqual(chooseLinear({ ...QKV, k: 4160 }, H200));
});
