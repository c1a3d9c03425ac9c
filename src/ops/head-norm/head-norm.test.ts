import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../core/random.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { randomMatrix } from '../matrix.js';
import { relativeError } from '../testing/compare.js';
import { HEAD_NORM_TOLERANCE } from './contract.js';
import { bindHeadNorm } from './cpu.js';
import { headNormReference } from './reference.js';

const EPSILON = 1e-6;
const SHAPES = [
  [1, 1, 1, 2],
  [3, 4, 2, 16],
  [9, 8, 1, 40],
  [17, 2, 2, 256],
] as const;

describe('headNormReference', () => {
  it('gives queries and keys their weights and leaves values alone', () => {
    const qkv = { rowCount: 1, columnCount: 6, data: Float32Array.of(3, 4, 3, 4, 3, 4) };
    const [queryWeight, keyWeight] = [Float32Array.of(1, 1), Float32Array.of(2, 10)];
    headNormReference(qkv, { headCount: 1, kvHeadCount: 1, queryWeight, keyWeight, epsilon: 0 });
    const rms = Math.sqrt(12.5);
    const expected = Float32Array.of(3 / rms, 4 / rms, 6 / rms, 40 / rms, 3, 4);
    expect(relativeError(qkv.data, expected)).toBeLessThan(1e-7);
  });
});

describe('headNorm on the CPU', () => {
  it.each(SHAPES)('equals the reference for %i tokens, %i and %i heads of %i', (tokens, ...sizes) => {
    const [headCount, kvHeadCount, headDim] = sizes;
    const random = seededRandom(headDim);
    const qkv = randomMatrix(tokens, (headCount + 2 * kvHeadCount) * headDim, random);
    const [queryWeight, keyWeight] = [0, 1].map(() => randomMatrix(1, headDim, random).data);
    const expected = { ...qkv, data: qkv.data.slice() };
    headNormReference(expected, {
      headCount,
      kvHeadCount,
      queryWeight: queryWeight!,
      keyWeight: keyWeight!,
      epsilon: EPSILON,
    });
    withEachLevel(2, (pool, isa) => {
      const actual = qkv.data.slice();
      const weights = [addressOf(queryWeight!), addressOf(keyWeight!)] as const;
      const to = addressOf(actual);
      bindHeadNorm(pool.library)(pool.handle, to, ...weights, tokens, ...sizes, EPSILON);
      expect(relativeError(actual, expected.data), isa).toBeLessThan(HEAD_NORM_TOLERANCE);
    });
  });
});
