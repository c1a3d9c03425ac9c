import { describe, expect, test } from 'vitest';
import { InputText } from './input-text.js';

/** Deltas of arguments that come in pieces, put together. */
function read(pieces: readonly string[]): string {
  const input = new InputText();
  let text = '';
  for (const piece of pieces) {
    const delta = input.push(piece);
    expect(delta, 'no character is cut in two').not.toMatch(/[\ud800-\udbff]$/);
    text += delta;
  }
  return text + input.end();
}

const TEXTS = [
  '',
  'a',
  'print("1 < 2")\n\t\\n',
  '\u{1f600}é\u0001\u2028 京都',
  '{"input": "x"}',
  '\\',
  '"',
  '\ud83d',
];
const escaped = (json: string): string =>
  json.replaceAll(/[^\0-~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

describe.each(TEXTS)('%j', (input) => {
  const json = JSON.stringify({ input });
  test.each([
    ['as programs write it', json],
    ['with spaces', ` {\n "input" :\t${JSON.stringify(input)} } `],
    ['in escapes', escaped(json)],
    ['with an escaped slash', json.replaceAll('/', '\\/')],
  ])('%s, however it is cut', (_, written) => {
    expect((JSON.parse(written) as { input: string }).input).toBe(input);
    expect(read([written])).toBe(input);
    expect(read(Array.from({ length: written.length }, (_unit, i) => written[i]!))).toBe(input);
    for (let cut = 0; cut <= written.length; cut++)
      expect(read([written.slice(0, cut), written.slice(cut)])).toBe(input);
  });
});

test('the input comes as it is written', () => {
  const input = new InputText();
  expect(
    ['{"inp', 'ut": "a', 'b\\', 'n', '\\ud83d', '\\ude00c"', '}'].map((json) => input.push(json)),
  ).toEqual(['', 'a', 'b', '\n', '', '\u{1f600}c', '']);
});

test.each(['{"code": "x"}', '"just text"', '[1]', '{"input": 5}', 'print(1)'])(
  'arguments of another form are the input: %s',
  (json) => {
    expect(read([json])).toBe(json);
    expect(read(Array.from(json))).toBe(json);
  },
);

test('escapes that JSON does not have stay', () => {
  expect(read(['{"input": "\\x41\\u00zz\\u', '12"}'])).toBe('\\x41\\u00zz\\u12');
});
