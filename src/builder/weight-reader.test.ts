import { describe, expect, test } from 'vitest';
import type { HostTensor } from '../core/tensor.js';
import type { WeightPart } from '../plan/plan.js';
import type { TensorSource } from './checkpoint/checkpoint.js';
import { bytesOfFloats, floatsOf } from './testing/row-major-layout.js';
import type { WeightData } from '../device/weight-layout.js';
import { useWeight } from './weight-reader.js';

type DenseData = Extract<WeightData, { kind: 'dense' }>;

/** A tensor [rows, 2] whose values are their row and column as one number: 30 and 31 in row 3. */
const numbered = (rowCount: number, dtype: 'f32' | 'bf16' = 'f32'): HostTensor => {
  const values = Float32Array.from({ length: 2 * rowCount }, (_, i) => 10 * Math.floor(i / 2) + (i % 2));
  return { dtype, shape: [rowCount, 2], bytes: bytesOfFloats(values, dtype) };
};

/** The values that a weight of these parts, all of one tensor, is made of. */
function read(tensor: HostTensor, parts: readonly Omit<WeightPart, 'tensor' | 'shape'>[]): number[] {
  const { shape, dtype } = tensor;
  const tensors: TensorSource = {
    names: ['numbered'],
    info: () => ({ file: 'test', shape, dtype, dtypeName: dtype }),
    read: () => tensor,
    dispose() {},
  };
  const source = { parts: parts.map((part) => ({ tensor: 'numbered', shape, ...part })) };
  const weight = { shape, format: { type: 'dense', dtype: 'f32' }, source } as const;
  return useWeight(tensors, weight, (data) => [...floatsOf((data as DenseData).tensor)]);
}

const rows = (start: number, end: number) => ({ slice: { axis: 0, start, end } as const });
const firstColumn = (values: readonly number[]): number[] =>
  values.filter((_, i) => i % 2 === 0).map((value) => value / 10);

describe('rows of heads', () => {
  test('whole heads in halves stay', () => {
    const headRows = { headDim: 4, rotaryDim: 4, isInterleaved: false };
    expect(firstColumn(read(numbered(8), [{ slice: null, headRows }]))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('neighbours are moved apart', () => {
    const headRows = { headDim: 4, rotaryDim: 4, isInterleaved: true };
    expect(firstColumn(read(numbered(8), [{ slice: null, headRows }]))).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
  });

  test('rows that are not rotated fill the other pairs', () => {
    const interleaved = { headDim: 8, rotaryDim: 4, isInterleaved: true };
    expect(firstColumn(read(numbered(8), [{ slice: null, headRows: interleaved }]))).toEqual([
      0, 2, 4, 6, 1, 3, 5, 7,
    ]);
    const halves = { headDim: 8, rotaryDim: 4, isInterleaved: false };
    expect(firstColumn(read(numbered(8), [{ slice: null, headRows: halves }]))).toEqual([
      0, 1, 4, 6, 2, 3, 5, 7,
    ]);
  });

  test('a slice begins with a head of its own', () => {
    const headRows = { headDim: 4, rotaryDim: 4, isInterleaved: true };
    const parts = [{ ...rows(4, 8), headRows }, rows(8, 10)];
    expect(firstColumn(read(numbered(12), parts))).toEqual([4, 6, 5, 7, 8, 9]);
  });
});

test.each(['f32', 'bf16'] as const)('an offset is added to values of %s', (dtype) => {
  expect(read(numbered(2, dtype), [{ slice: null, offset: 0.5 }])).toEqual([0.5, 1.5, 10.5, 11.5]);
});

test('a range of rows is a view of the checkpoint', () => {
  expect(read(numbered(4), [rows(1, 3)])).toEqual([10, 11, 20, 21]);
});
