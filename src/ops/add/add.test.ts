import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../core/random.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { randomMatrix } from '../matrix.js';
import { bindAdd } from './cpu.js';
import { addReference } from './reference.js';

describe('add on the CPU', () => {
  it.each([1, 15, 2048, 100_001])('equals the reference for %i values', (count) => {
    const residual = randomMatrix(1, count, seededRandom(1));
    const delta = randomMatrix(1, count, seededRandom(2));
    const expected = { ...residual, data: residual.data.slice() };
    addReference(expected, delta);
    withEachLevel(2, (pool) => {
      const actual = residual.data.slice();
      bindAdd(pool.library)(pool.handle, addressOf(actual), addressOf(delta.data), count);
      expect(actual).toEqual(expected.data);
    });
  });
});
