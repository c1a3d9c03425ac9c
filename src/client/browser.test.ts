import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { loadedWith } from '../tools/cli/testing/loaded-with.js';

test('the client over HTTP loads nothing of Node and no package, so that a page can use it', () => {
  const loaded = [...loadedWith(fileURLToPath(new URL('./http-client.js', import.meta.url)))];
  expect(loaded.length).toBeGreaterThan(3);
  expect(loaded.filter((name) => !name.startsWith('/'))).toEqual([]);
});
