import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { StopLists } from './stop-lists.js';

const tokens = (...ids: number[]) => Int32Array.from(ids);

test.each([
  [[[1, 2]], [5, 1, 2], 2],
  [[[2], [1, 2]], [5, 1, 2], 2],
  [[[1, 2]], [1, 2, 5], 0],
  [[[5, 1, 2]], [1, 2], 0],
  [[[]], [1], 0],
])('%j at the end of %j: %i tokens match', (lists, ids, count) => {
  expect(new StopLists(lists).matchedCount(tokens(...ids), 0, ids.length)).toBe(count);
});

test('only generated tokens match', () => {
  const lists = new StopLists([[1, 2]]);
  expect(lists.matchedCount(tokens(1, 2), 1, 2)).toBe(0);
  expect(lists.heldCount(tokens(1), 1, 1)).toBe(0);
});

test('whatever is generated, no token of a match was let through before, and nothing is held for ever', () => {
  const ids = fc.integer({ min: 0, max: 2 });
  const lists = fc.array(fc.array(ids, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(lists, fc.array(ids, { maxLength: 20 }), (stops, output) => {
      const stopLists = new StopLists(stops);
      const all = Int32Array.from(output);
      let shownCount = 0;
      for (let end = 1; end <= all.length; end++) {
        const matched = stopLists.matchedCount(all, 0, end);
        expect(shownCount).toBeLessThanOrEqual(end - matched);
        if (matched > 0) return;
        const held = stopLists.heldCount(all, 0, end);
        const suffix = [...all.subarray(end - held, end)].join();
        if (held > 0) expect(stops.some((list) => list.slice(0, held).join() === suffix)).toBe(true);
        shownCount = end - held;
      }
    }),
  );
});

test('a list that is complete with one of the first minTokens tokens ends nothing', () => {
  const lists = new StopLists([[1, 2]], 3);
  expect(lists.matchedCount(tokens(9, 5, 1, 2), 1, 4)).toBe(0);
  expect(lists.matchedCount(tokens(9, 5, 6, 1, 2), 1, 5)).toBe(2);
});
