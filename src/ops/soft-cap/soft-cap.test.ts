import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../core/random.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { randomMatrix } from '../matrix.js';
import { SOFT_CAP_TOLERANCE } from './contract.js';
import { bindSoftCap } from './cpu.js';
import { softCapReference } from './reference.js';

const CAP = 30;

describe('softCapReference', () => {
  it('keeps small values and approaches the cap', () => {
    const x = { rowCount: 1, columnCount: 4, data: Float32Array.of(0, 0.1, 1000, -1000) };
    softCapReference(x, CAP);
    expect(Array.from(x.data)).toEqual([0, expect.closeTo(0.1, 5), 30, -30]);
  });
});

describe('softCap on the CPU', () => {
  it.each([1, 15, 2048, 100_001])('equals the reference for %i values', (count) => {
    const x = randomMatrix(1, count, seededRandom(count));
    x.data.forEach((value, i) => (x.data[i] = 40 * value));
    const expected = { ...x, data: x.data.slice() };
    softCapReference(expected, CAP);
    withEachLevel(2, (pool, isa) => {
      const actual = x.data.slice();
      bindSoftCap(pool.library)(pool.handle, addressOf(actual), CAP, count);
      const errors = actual.map((value, i) => Math.abs(value - expected.data[i]!) / CAP);
      expect(Math.max(...errors.subarray(0, 2048)), isa).toBeLessThan(SOFT_CAP_TOLERANCE);
      expect(
        errors.every((error) => error < SOFT_CAP_TOLERANCE),
        isa,
      ).toBe(true);
    });
  });

  it('keeps extreme values finite and passes NaN on', () => {
    const values = [-1e30, 1e30, -Infinity, Infinity, NaN, 0];
    withEachLevel(1, (pool, isa) => {
      const actual = Float32Array.from(values);
      bindSoftCap(pool.library)(pool.handle, addressOf(actual), CAP, values.length);
      expect(Array.from(actual), isa).toEqual([-CAP, CAP, -CAP, CAP, NaN, 0]);
    });
  });
});
