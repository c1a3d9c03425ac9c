import { expect, test } from 'vitest';
import {
  crossingOf,
  decodeTimes,
  encodeTimes,
  isOneShot,
  slowestTimes,
  TIMED_ROWS,
  timesText,
} from './crossing.js';

const timesOf = (oneShot: readonly number[], twoShot: readonly number[]) =>
  oneShot.map((time, i) => ({ oneShot: time, twoShot: twoShot[i]! }));

test.each([
  ['one shot is faster throughout', [5, 5, 6, 8, 10], [6, 7, 7, 9, 11], 128],
  ['ties go to one shot, which is one kernel less', [6, 6, 6, 6, 6], [6, 6, 6, 6, 6], 128],
  ['two shots win from some size on', [5, 5, 6, 9, 14], [6, 6, 7, 8, 9], 32],
  ['a later class does not count after a slower one', [5, 8, 6, 8, 10], [6, 7, 7, 9, 11], 8],
  ['two shots are faster throughout', [7, 7, 7, 9, 14], [6, 6, 6, 8, 9], 0],
])('%s', (_, oneShot, twoShot, crossing) => {
  expect(crossingOf(timesOf(oneShot, twoShot))).toBe(crossing);
});

test('the way of a sum is that of its class of rows', () => {
  const rows = [1, 8, 9, 16, 17, 32, 33, 64, 65, 128, 129, 4096];
  expect(rows.filter((count) => isOneShot(count, 32))).toEqual([1, 8, 9, 16, 17, 32]);
  expect(rows.filter((count) => isOneShot(count, 0))).toEqual([]);
  expect(rows.filter((count) => isOneShot(count, 128))).toEqual(rows.slice(0, -2));
});

test('ranks exchange their times, and the slowest decides for all', () => {
  const fast = timesOf([5, 5, 6, 8, 10], [6, 7, 7, 9, 11]);
  const slow = timesOf([5, 6, 7.5, 8, 10], [5, 5, 5, 10, 11]);
  expect(decodeTimes(encodeTimes(slow))).toEqual(slow);
  const both = slowestTimes([fast, slow]);
  expect(both).toEqual(timesOf([5, 6, 7.5, 8, 10], [6, 7, 7, 10, 11]));
  expect(crossingOf(both)).toBe(16);
  expect(timesText(both)).toMatch(/^8 rows 5\.0 and 6\.0, 16 rows/);
  expect(TIMED_ROWS.length).toBe(both.length);
});
