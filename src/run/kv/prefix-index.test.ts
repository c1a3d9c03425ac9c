import { expect, test } from 'vitest';
import { NO_ENTRY, PrefixIndex } from './prefix-index.js';

const A = Int32Array.of(1, 2, 3, 4);
const B = Int32Array.of(1, 2, 3, 5);

test('a block is found by parent, salt and tokens', () => {
  const index = new PrefixIndex(8, 2);
  index.add(NO_ENTRY, undefined, A, 0, 3);
  const first = index.find(NO_ENTRY, undefined, B, 0);
  expect(index.placeOf(first)).toBe(3);
  index.add(first, undefined, A, 2, 5);
  expect(index.placeOf(index.find(first, undefined, A, 2))).toBe(5);
  expect(index.find(first, undefined, B, 2)).toBe(NO_ENTRY);
  expect(index.find(NO_ENTRY, undefined, A, 2)).toBe(NO_ENTRY);
  expect(index.find(NO_ENTRY, 'tenant', A, 0)).toBe(NO_ENTRY);
});

test('equal hashes are not a hit: tokens, parent and salt are compared', () => {
  const index = new PrefixIndex(8, 2, () => 42);
  index.add(NO_ENTRY, undefined, A, 0, 0);
  const parent = index.find(NO_ENTRY, undefined, A, 0);
  index.add(parent, undefined, A, 2, 1);
  index.add(NO_ENTRY, 'x', A, 0, 2);
  expect(index.find(NO_ENTRY, undefined, Int32Array.of(9, 9), 0)).toBe(NO_ENTRY);
  expect(index.find(parent, undefined, B, 2)).toBe(NO_ENTRY);
  expect(index.find(NO_ENTRY, undefined, A, 2)).toBe(NO_ENTRY);
  expect(index.placeOf(index.find(NO_ENTRY, 'x', A, 0))).toBe(2);
  index.checkIntegrity();
  index.remove(index.entryAt(1));
  index.remove(index.entryAt(0));
  expect(index.placeOf(index.find(NO_ENTRY, 'x', A, 0))).toBe(2);
  expect(index.entryCount).toBe(1);
});

test('moved content is found at its new place', () => {
  const index = new PrefixIndex(4, 2);
  index.add(NO_ENTRY, undefined, A, 0, 0);
  index.move(index.entryAt(0), 3);
  expect(index.entryAt(0)).toBe(NO_ENTRY);
  expect(index.placeOf(index.find(NO_ENTRY, undefined, A, 0))).toBe(3);
  expect([...index.prefixes()]).toEqual([{ place: 3, tokenIds: [1, 2] }]);
});

test('an entry whose parent is gone is a broken invariant', () => {
  const index = new PrefixIndex(4, 2);
  index.add(NO_ENTRY, undefined, A, 0, 0);
  index.add(index.entryAt(0), undefined, A, 2, 1);
  index.remove(index.entryAt(0));
  expect(() => index.checkIntegrity()).toThrow('the parent of prefix entry');
});
