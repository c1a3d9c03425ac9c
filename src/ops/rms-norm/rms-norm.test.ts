import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../core/random.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { relativeError } from '../testing/compare.js';
import { randomMatrix, zeroMatrix } from '../matrix.js';
import { RMS_NORM_TOLERANCE } from './contract.js';
import { bindRmsNorm } from './cpu.js';
import { addRmsNormReference, rmsNormReference } from './reference.js';

const SHAPES = [
  [1, 1],
  [1, 15],
  [3, 16],
  [2, 79],
  [5, 130],
  [7, 2048],
  [33, 4096],
] as const;
const EPSILON = 1e-5;

describe('rmsNormReference', () => {
  it('makes rows of mean square 1', () => {
    const x = { rowCount: 1, columnCount: 2, data: Float32Array.of(3, 4) };
    const { data } = rmsNormReference(x, Float32Array.of(1, 2), 0);
    const rms = Math.sqrt(12.5);
    expect(relativeError(data, Float32Array.of(3 / rms, 8 / rms))).toBeLessThan(1e-7);
  });
});

describe('rmsNorm on the CPU', () => {
  it.each(SHAPES)('equals the reference for [%i, %i]', (rows, columns) => {
    const random = seededRandom(rows * columns);
    const x = randomMatrix(rows, columns, random);
    const weight = randomMatrix(1, columns, random).data;
    const expected = rmsNormReference(x, weight, EPSILON);
    withEachLevel(2, (pool, isa) => {
      const out = zeroMatrix(rows, columns);
      const [xAt, weightAt, outAt] = [x.data, weight, out.data].map(addressOf) as [number, number, number];
      bindRmsNorm(pool.library)(pool.handle, xAt, 0, weightAt, outAt, rows, columns, EPSILON);
      expect(relativeError(out.data, expected.data), isa).toBeLessThan(RMS_NORM_TOLERANCE);
    });
  });

  it.each(SHAPES)('adds first when asked to, for [%i, %i]', (rows, columns) => {
    const random = seededRandom(rows + columns);
    const [x, delta] = [randomMatrix(rows, columns, random), randomMatrix(rows, columns, random)];
    const weight = randomMatrix(1, columns, random).data;
    withEachLevel(3, (pool, isa) => {
      const residual = { ...x, data: x.data.slice() };
      const expectedResidual = { ...x, data: x.data.slice() };
      const expected = addRmsNormReference({ residual: expectedResidual, delta }, weight, EPSILON);
      const out = zeroMatrix(rows, columns);
      const [xAt, deltaAt, weightAt, outAt] = [residual.data, delta.data, weight, out.data].map(
        addressOf,
      ) as [number, number, number, number];
      bindRmsNorm(pool.library)(pool.handle, xAt, deltaAt, weightAt, outAt, rows, columns, EPSILON);
      expect(residual.data, isa).toEqual(expectedResidual.data);
      expect(relativeError(out.data, expected.data), isa).toBeLessThan(RMS_NORM_TOLERANCE);
    });
  });

  it('gives a row the same bits alone and among others', () => {
    const x = randomMatrix(9, 200, seededRandom(1));
    const weight = randomMatrix(1, 200, seededRandom(2)).data;
    withEachLevel(2, (pool) => {
      const [together, alone] = [zeroMatrix(9, 200), zeroMatrix(9, 200)];
      const rmsNorm = bindRmsNorm(pool.library);
      const [xAt, weightAt, outAt] = [x.data, weight, alone.data].map(addressOf) as [number, number, number];
      rmsNorm(pool.handle, xAt, 0, weightAt, addressOf(together.data), 9, 200, EPSILON);
      for (let row = 0; row < 9; row++)
        rmsNorm(pool.handle, xAt + row * 800, 0, weightAt, outAt + row * 800, 1, 200, EPSILON);
      expect(alone.data).toEqual(together.data);
    });
  });
});
