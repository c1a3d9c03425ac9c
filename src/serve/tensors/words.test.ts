import { expect, test } from 'vitest';
import { readWords } from './words.js';

test.each([
  [['a,b'], ['a', 'b']],
  [['"a,b",c'], ['a,b', 'c']],
  [[`["x","y"]`], ['x', 'y']],
  [
    ['a', '', 'b'],
    ['a', 'b'],
  ],
  [[','], [',']],
  [[`${'w,'.repeat(255)}w`], Array.from({ length: 256 }, () => 'w')],
])('%j', (elements, words) => expect(readWords(elements)).toEqual(words));

test.each([
  ['a line of commas', [','.repeat(57 * 2 ** 20)], /32768 are accepted/],
  ['many words in a line', ['a,'.repeat(400)], /more than 256 words/],
  ['many elements', Array.from({ length: 257 }, () => 'a'), /257 words/],
])('%s is refused before words are made of it', (_, elements, message) => {
  expect(() => readWords(elements)).toThrow(message);
});
