import { expect, test } from 'vitest';
import { createRecordingSink } from '../../cuda/testing/recording-sink.js';
import { matmul } from './matmul.js';
import type { CudaLinearProblem } from './problem.js';
import { DENSE, FP8, INT4, INT8, OPERANDS } from './testing/problems.js';

const QKV: CudaLinearProblem = { m: 192, n: 12288, k: 4096, format: DENSE, epilogue: 'store' };

function launched(problem: CudaLinearProblem, operands = OPERANDS, algorithm = 3) {
  const sink = createRecordingSink();
  matmul.bind({ method: 'matmul', algorithm }, problem, operands)(problem.m, sink);
  return sink;
}

test('a measured algorithm holds where the class is one of its shapes, elsewhere the first proposal', () => {
  const algorithmAt = (m: number) => launched({ ...QKV, m }).matmuls[0]!.algorithm;
  expect([1, 64, 150, 192, 321].map(algorithmAt)).toEqual([3, 3, 3, 3, 3]);
  expect([65, 200, 320].map(algorithmAt)).toEqual([3, 3, 0]);
});

test('many rows are rounded up to a shape that other numbers of rows have, too', () => {
  const shapeAt = (m: number) => launched({ ...QKV, m, epilogue: 'f32' }).matmuls[0]!.shape;
  expect([1, 63, 64, 65, 300].map((m) => shapeAt(m).m)).toEqual([1, 63, 64, 128, 320]);
  expect(shapeAt(64)).toEqual({ m: 64, n: 12288, k: 4096, inputDtype: 'f16', outputDtype: 'f32' });
});

test('quantised weights are made dense first, and a bias is added afterwards', () => {
  const plain = launched(QKV);
  expect(plain.calls.map(([, name]) => name)).toEqual(['matmul']);
  expect(plain.matmuls[0]!.pointers).toEqual({ x: OPERANDS.x, weight: OPERANDS.weight, out: OPERANDS.out });
  const full = launched({ ...QKV, format: INT8 }, { ...OPERANDS, bias: 0x6000 });
  expect(full.calls.map(([, name]) => name)).toEqual(['dequantise', 'matmul', 'add_bias']);
  expect(full.matmuls[0]!.pointers.weight).toBe(OPERANDS.denseCopy);
  const { weight, scale, denseCopy } = OPERANDS;
  expect(full.launches[0]!.args.values).toEqual({ tiles: weight, scale, out: denseCopy, n: 12288, k: 4096 });
  expect(launched({ ...QKV, format: FP8 }).launches[0]!).toMatchObject({ kernel: 'dequantise_fp8' });
  const grouped = launched({ ...QKV, format: INT4 }).launches[0]!;
  expect(grouped).toMatchObject({ kernel: 'dequantise_int4g128', grid: [3072, 1, 1] });
});

test('it never ends with SwiGLU', () => {
  expect(matmul.fusesSwiglu({ method: 'matmul' }, 11008)).toBe(false);
  expect(
    matmul.candidates(
      { ...QKV, epilogue: 'swiglu' },
      { ...{ computeCapability: 90 }, multiprocessorCount: 1, proposalCount: () => 4 },
    ),
  ).toEqual([]);
});
