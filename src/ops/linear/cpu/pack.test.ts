import { describe, expect, it } from 'vitest';
import {
  bfloat16ToFloat,
  e4m3ToFloat,
  floatToBfloat16,
  floatToHalf,
  halfToFloat,
} from '../../../core/dtype.js';
import { seededRandom } from '../../../core/random.js';
import { withEachLevel } from '../../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../../ffi/memory.js';
import type { DenseDType } from '../../cpu/dtype-code.js';
import { randomMatrix, rowOf, type Matrix } from '../../matrix.js';
import { NAMED_FORMATS } from '../../../plan/weight-format.js';
import { bindPacker } from './cpu.js';
import { quantiseFp8Row, quantiseRow, restoreFp8 } from '../reference.js';
import { packWeight, sourceOf, storedAs } from '../testing/test-weights.js';

const SOURCES = ['f32', 'f16', 'bf16'] as const;

/** Index of input `i` of row `o` in tiles whose inputs lie together by `together`, after padding to `paddedIn`. */
function tileIndex(o: number, i: number, paddedIn: number, together: number): number {
  const inTile = Math.floor(i / together) * together * 16 + (o % 16) * together + (i % together);
  return Math.floor(o / 16) * 16 * paddedIn + inTile;
}

/** The values that a checkpoint dtype keeps of a matrix. */
function kept(dtype: DenseDType, matrix: Matrix): Matrix {
  const round = {
    f32: (value: number) => value,
    f16: (value: number) => halfToFloat(floatToHalf(value)),
    bf16: (value: number) => bfloat16ToFloat(floatToBfloat16(value)),
  }[dtype];
  return { ...matrix, data: matrix.data.map(round) };
}

const elements = {
  f32: (bytes: Uint8Array) => new Float32Array(bytes.slice().buffer),
  f16: (bytes: Uint8Array) => Float32Array.from(new Uint16Array(bytes.slice().buffer), halfToFloat),
  bf16: (bytes: Uint8Array) => Float32Array.from(new Uint16Array(bytes.slice().buffer), bfloat16ToFloat),
};

describe.each(SOURCES)('packing a %s checkpoint', (sourceDType) => {
  const matrix = kept(sourceDType, randomMatrix(37, 70, seededRandom(4)));
  const bits = storedAs(sourceDType, matrix);

  it.each(SOURCES)('into tiles of %s', (format) => {
    withEachLevel(2, (pool, level) => {
      const packed = packWeight(pool, sourceOf(sourceDType, bits, matrix), format, 40);
      const stored = elements[format](packed.tensors[0]!);
      const wanted = kept(format, matrix);
      const expected = new Float32Array(stored.length);
      for (let o = 0; o < 37; o++) {
        for (let i = 0; i < 70; i++)
          expected[tileIndex(o, i, 96, format === 'bf16' ? 2 : 1)] = rowOf(wanted, o)[i]!;
      }
      expect(stored, level).toEqual(expected);
      let [squaredError, squaredSum] = [0, 0];
      for (const [index, value] of matrix.data.entries()) {
        squaredError += (value - wanted.data[index]!) ** 2;
        squaredSum += value ** 2;
      }
      expect(packed.report.squaredError).toBeCloseTo(squaredError, 10);
      expect(packed.report.squaredSum).toBeCloseTo(squaredSum, 8);
      packed.dispose();
    });
  });

  it('into tiles of int8', () => {
    withEachLevel(2, (pool, level) => {
      const packed = packWeight(pool, sourceOf(sourceDType, bits, matrix), 'int8', 40);
      const [weights, scales, sums] = packed.tensors.map((tensor) => tensor.slice().buffer);
      const expected = new Int8Array(weights!.byteLength);
      const expectedScales = new Float32Array(48);
      const expectedSums = new Int32Array(48);
      let squaredError = 0;
      for (let o = 0; o < 37; o++) {
        const { quantised, scale } = quantiseRow(rowOf(matrix, o));
        expectedScales[o] = scale;
        for (const [i, q] of quantised.entries()) {
          expected[tileIndex(o, i, 128, 4)] = q;
          expectedSums[o]! += q;
          squaredError += (rowOf(matrix, o)[i]! - q * scale) ** 2;
        }
      }
      expect(new Int8Array(weights!), level).toEqual(expected);
      expect(new Float32Array(scales!), level).toEqual(expectedScales);
      expect(new Int32Array(sums!), level).toEqual(expectedSums);
      expect(packed.report.squaredError).toBeCloseTo(squaredError, 10);
      packed.dispose();
    });
  });
});

describe.each(SOURCES)('packing a %s checkpoint', (sourceDType) => {
  it('into tiles of fp8', () => {
    const matrix = kept(sourceDType, randomMatrix(37, 70, seededRandom(6)));
    rowOf(matrix, 3).fill(0);
    rowOf(matrix, 5).fill(1e-3, 1); // subnormal numbers beside a large one
    const bits = storedAs(sourceDType, kept(sourceDType, matrix));
    const rows = Array.from({ length: 37 }, (_, o) => quantiseFp8Row(rowOf(kept(sourceDType, matrix), o)));
    withEachLevel(2, (pool, level) => {
      const packed = packWeight(pool, sourceOf(sourceDType, bits, matrix), 'fp8', 40);
      const [weights, scales] = packed.tensors;
      const expected = new Uint8Array(weights!.length);
      const expectedScales = new Float32Array(48);
      let squaredError = 0;
      for (const [o, row] of rows.entries()) {
        expectedScales[o] = row.scale;
        for (const [i, code] of row.codes.entries()) {
          expected[tileIndex(o, i, 96, 1)] = code;
          squaredError += (rowOf(kept(sourceDType, matrix), o)[i]! - e4m3ToFloat(code) * row.scale) ** 2;
        }
      }
      expect(weights, level).toEqual(expected);
      expect(new Float32Array(scales!.slice().buffer), level).toEqual(expectedScales);
      expect(packed.report.squaredError).toBeCloseTo(squaredError, 10);
      packed.dispose();
    });
    expect(restoreFp8(rows[5]!).some((value) => value !== 0 && value < 0.01)).toBe(true);
  });
});

describe('packing', () => {
  it('quantises a row to its largest weight, and a zero row to zeros', () => {
    const data = Float32Array.of(0.5, -2, 1, 0, 0, 0, 1e-35, -1e-35, 0);
    withEachLevel(1, (pool, level) => {
      const packed = packWeight(pool, sourceOf('f32', data, { rowCount: 3, columnCount: 3, data }), 'int8');
      const values = new Int8Array(packed.tensors[0]!.slice().buffer);
      const rows = [0, 1, 2].map((o) => [0, 1, 2].map((i) => values[tileIndex(o, i, 64, 4)]));
      expect(rows, level).toEqual([
        [32, -127, 64],
        [0, 0, 0],
        [0, 0, 0],
      ]);
      const scales = new Float32Array(packed.tensors[1]!.slice().buffer, 0, 3);
      expect(scales).toEqual(Float32Array.of(Math.fround(2 / 127), 0, 0));
      packed.dispose();
    });
  });

  it('reads sources that are not aligned', () => {
    const matrix = randomMatrix(5, 9, seededRandom(1));
    const bytes = new Uint8Array(matrix.data.byteLength + 3);
    bytes.set(new Uint8Array(matrix.data.buffer), 3);
    withEachLevel(1, (pool) => {
      const source = { dtype: 'f32', address: addressOf(bytes) + 3, rowCount: 5, columnCount: 9 } as const;
      const packed = packWeight(pool, source, 'f32');
      const stored = elements.f32(packed.tensors[0]!);
      expect(stored[tileIndex(4, 8, 32, 1)]).toBe(rowOf(matrix, 4)[8]);
      packed.dispose();
    });
  });

  it('counts what float16 cannot hold, and what is not a number', () => {
    const data = Float32Array.of(1, 65520, -1e5, 65519, Infinity, NaN);
    const matrix = { rowCount: 2, columnCount: 3, data };
    withEachLevel(1, (pool, level) => {
      const half = packWeight(pool, sourceOf('f32', data, matrix), 'f16');
      expect([half.report.overflowCount, half.report.nonFiniteCount], level).toEqual([2, 2]);
      half.dispose();
      const brain = packWeight(pool, sourceOf('f32', data, matrix), 'bf16');
      expect([brain.report.overflowCount, brain.report.nonFiniteCount], level).toEqual([0, 2]);
      brain.dispose();
    });
  });

  it('converts every 16-bit value as the host does', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    withEachLevel(2, (pool, level) => {
      for (const dtype of ['f16', 'bf16'] as const) {
        const out = new Float32Array(65536);
        const target = {
          arrangement: 'rows',
          format: NAMED_FORMATS.f32,
          outCount: 64,
          scale: 0,
          sum: 0,
          zero: 0,
          order: 0,
        } as const;
        const source = { dtype, address: addressOf(bits), rowCount: 64, columnCount: 1024 };
        bindPacker(pool.library, pool.handle)(source, { ...target, weight: addressOf(out) });
        expect(out, `${dtype} ${level}`).toEqual(
          Float32Array.from(bits, dtype === 'f16' ? halfToFloat : bfloat16ToFloat),
        );
      }
    });
  });

  it('converts f32 to 16 bits as the host does', () => {
    const random = seededRandom(8);
    const matrix = randomMatrix(50, 100, random);
    for (const [index, value] of matrix.data.entries())
      matrix.data[index] = value * 2 ** (random.next() * 60 - 40);
    const rows = { arrangement: 'rows', outCount: 50, scale: 0, sum: 0, zero: 0, order: 0 } as const;
    withEachLevel(2, (pool, level) => {
      for (const [element, convert] of [
        ['f16', floatToHalf],
        ['bf16', floatToBfloat16],
      ] as const) {
        const out = new Uint16Array(5000);
        const target = { ...rows, format: NAMED_FORMATS[element] } as const;
        bindPacker(pool.library, pool.handle)(sourceOf('f32', matrix.data, matrix), {
          ...target,
          weight: addressOf(out),
        });
        expect(out, `${element} ${level}`).toEqual(Uint16Array.from(matrix.data, convert));
      }
    });
  });
});
