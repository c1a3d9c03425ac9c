import { expect, test } from 'vitest';
import { isCrumbled } from './body-pace.js';

test('thousands of pieces are crumbs where they have few bytes each', () => {
  const crumbs = (count: number, bytesEach: number): boolean => isCrumbled(count, count * bytesEach);
  expect([crumbs(4000, 1), crumbs(5000, 1), crumbs(100_000, 63), crumbs(300_000, 64)]).toEqual([
    false,
    true,
    false,
    false,
  ]);
  expect(crumbs(100_000, 32)).toBe(true);
});
