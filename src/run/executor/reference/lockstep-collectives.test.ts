import { expect, test } from 'vitest';
import { addressOf } from '../../../ffi/memory.js';
import { LockstepCollectives } from './lockstep-collectives.js';

test('every rank gets the sum, again and again', () => {
  const collectives = new LockstepCollectives(3);
  for (const scale of [1, 10]) {
    const ranks = [1, 2, 4].map((value) => Float32Array.of(value, -value, scale));
    for (const x of ranks) collectives.allReduce(addressOf(x), x.length);
    for (const x of ranks) expect(Array.from(x)).toEqual([7, -7, 3 * scale]);
  }
});

test('rows lie side by side in the order of the ranks, cut to the columns that are wanted', () => {
  const collectives = new LockstepCollectives(2);
  const parts = [Float32Array.of(1, 2, 3, 11, 12, 13), Float32Array.of(4, 5, 0, 14, 15, 0)];
  const results = parts.map((x) => {
    const out = new Float32Array(10);
    const addresses = { x: addressOf(x), out: addressOf(out) };
    collectives.allGather({ ...addresses, rowCount: 2, columnCount: 3, outColumnCount: 5 });
    return out;
  });
  for (const out of results) expect(Array.from(out)).toEqual([1, 2, 3, 4, 5, 11, 12, 13, 14, 15]);
});

test('refuses ranks that are not at the same op', () => {
  const collectives = new LockstepCollectives(2);
  const [long, short] = [new Float32Array(4), new Float32Array(3)];
  collectives.allReduce(addressOf(long), long.length);
  expect(() => collectives.allReduce(addressOf(short), short.length)).toThrowError(/different numbers/);
});
