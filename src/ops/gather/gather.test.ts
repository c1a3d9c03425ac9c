import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../core/random.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { randomMatrix, zeroMatrix } from '../matrix.js';
import { bindGather } from './cpu.js';
import { gatherReference } from './reference.js';

describe('gather on the CPU', () => {
  it.each([
    [1, 1],
    [5, 33],
    [64, 2048],
  ])('equals the reference for %i rows of %i', (count, columns) => {
    const random = seededRandom(count);
    const x = randomMatrix(70, columns, random);
    const rows = Int32Array.from({ length: count }, () => Math.floor(random.next() * 70));
    const expected = gatherReference(x, rows);
    withEachLevel(2, (pool) => {
      const out = zeroMatrix(count, columns);
      bindGather(pool.library)(
        pool.handle,
        addressOf(x.data),
        addressOf(rows),
        addressOf(out.data),
        count,
        columns,
      );
      expect(out).toEqual(expected);
    });
  });
});
