import fc from 'fast-check';
import { expect, test } from 'vitest';
import { columnsOf, WordWrapper, wrappedLine } from './word-wrap.js';

/** A text written in pieces, as the screen has it. */
function written(pieces: readonly string[], columns: number): string {
  let text = '';
  const wrapper = new WordWrapper(
    () => columns,
    (part) => (text += part),
  );
  for (const piece of pieces) wrapper.write(piece);
  wrapper.end();
  return text;
}

test('breaks between words, however the text comes in pieces', () => {
  expect(written(['Deep learn', 'ing is a ki', 'nd of machine'], 13)).toBe(
    'Deep learning\nis a kind of\nmachine',
  );
  expect(written(['a\n\nb  c'], 20)).toBe('a\n\nb  c');
  expect(written(['one long-word-that-fits-nowhere two'], 10)).toBe('one\nlong-word-that-fits-nowhere\ntwo');
});

test('wide letters take two columns, and a line breaks between any of them', () => {
  expect(columnsOf('深度 ab')).toBe(7);
  expect(written(['深度学习 done'], 6)).toBe('深度学\n习\ndone');
});

test('loses no letter, adds only line breaks, and keeps to the width where words do', () => {
  const word = fc.stringMatching(/^[a-z]{1,8}$/);
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 8, max: 40 }),
      (words, columns) => {
        const text = words.join(' ');
        const pieces = text.match(/.{1,3}/g) ?? [];
        const lines = written(pieces, columns).split('\n');
        expect(lines.join(' ')).toBe(text);
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
      },
    ),
  );
});

test('a line of a log is indented after its first break; narrow screens get it as it is', () => {
  const line = 'Ready: the model is here and there and everywhere that one may look for it';
  expect(wrappedLine(line, 40, '  ')).toBe(
    'Ready: the model is here and there and\n  everywhere that one may look for it',
  );
  expect(wrappedLine(line, 20, '  ')).toBe(line);
  expect(wrappedLine('short', 40, '  ')).toBe('short');
});
