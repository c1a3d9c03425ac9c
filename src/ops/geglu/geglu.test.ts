import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../core/random.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { relativeError } from '../testing/compare.js';
import { randomMatrix, zeroMatrix } from '../matrix.js';
import { GEGLU_TOLERANCE } from './contract.js';
import { bindGeglu } from './cpu.js';
import { gegluReference } from './reference.js';

describe('gegluReference', () => {
  it('is gate times the normal distribution up to it, nearly, times up', () => {
    const { data } = gegluReference({ rowCount: 1, columnCount: 4, data: Float32Array.of(0, 2, 5, 3) });
    expect(data[0]).toBe(0);
    // 2 * 0.97725 (normal distribution at 2) * 3, which the tanh form is 1e-4 away from.
    expect(data[1]).toBeCloseTo(2 * 0.97725 * 3, 2);
  });
});

describe('geglu on the CPU', () => {
  it.each([
    [1, 1],
    [1, 5632],
    [3, 17],
    [5, 1024],
    [40, 1030],
  ])('equals the reference for [%i, 2 * %i]', (rows, inter) => {
    const gateUp = randomMatrix(rows, 2 * inter, seededRandom(inter));
    gateUp.data.forEach((value, i) => (gateUp.data[i] = 8 * value));
    const expected = gegluReference(gateUp);
    withEachLevel(2, (pool, isa) => {
      const out = zeroMatrix(rows, inter);
      bindGeglu(pool.library)(pool.handle, addressOf(gateUp.data), addressOf(out.data), rows, inter);
      expect(relativeError(out.data, expected.data), isa).toBeLessThan(GEGLU_TOLERANCE);
    });
  });

  it('keeps extreme gates finite and passes NaN on', () => {
    const gates = [-1000, -88, -87, 87, 89, 1000, NaN, -0];
    const gateUp = Float32Array.of(...gates, ...gates.map(() => 1));
    withEachLevel(1, (pool, isa) => {
      const out = new Float32Array(gates.length);
      bindGeglu(pool.library)(pool.handle, addressOf(gateUp), addressOf(out), 1, gates.length);
      expect(out[0], isa).toBe(-0);
      expect(Math.abs(out[1]!), isa).toBeLessThan(1e-35);
      expect(Array.from(out.subarray(3, 7)), isa).toEqual([87, 89, 1000, NaN]);
    });
  });
});
