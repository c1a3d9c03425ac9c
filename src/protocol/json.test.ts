import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJson, parseJsonObject, writeJson, type JsonValue } from './json.js';

test('integers beyond 53 bits are exact, both ways', () => {
  const text = '{"seed":18446744073709551615,"list":[-9223372036854775808,7],"text":"12345678901234567890"}';
  const value = parseJson(text);
  expect(value).toEqual({
    seed: 18_446_744_073_709_551_615n,
    list: [-9_223_372_036_854_775_808n, 7],
    text: '12345678901234567890',
  });
  expect(writeJson(value)).toBe(text);
});

test('long fractions and exponents are numbers', () => {
  const text =
    '[0.1234567890123456,-0.69314718055994531,1234567890123456.5,1.2345678901234567e-300,12345678901234567e3]';
  expect(parseJson(text)).toEqual(JSON.parse(text));
});

test('all that JSON.stringify writes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      // Integers beyond 53 bits are what this reader is for.
      fc.pre(!/(^|[^\d.eE+-])-?\d{16,}(?![\d.eE])/.test(text));
      expect(parseJson(text)).toEqual(JSON.parse(text) as JsonValue);
    }),
    { numRuns: 2000 },
  );
});

test('what is no JSON is said to be none', () => {
  expect(() => parseJson('{"a":1')).toThrow(/not valid JSON/);
});

test('an unterminated string of a MiB with many escapes is refused', () => {
  // A reader that starts again at each quote needs half an hour for it.
  const text = `${'1'.repeat(16)}"${'\\"'.repeat(2 ** 19)}`;
  expect(() => parseJson(text)).toThrow(/not valid JSON/);
});

test('no text is taken for a wide integer', () => {
  const text = '{"text":"\\u0000int:7","seed":18446744073709551615}';
  expect(parseJson(text)).toEqual({ text: '\u0000int:7', seed: 18_446_744_073_709_551_615n });
  expect(writeJson({ text: '\u0000int:7', seed: 2n ** 64n - 1n })).toBe(text);
});

test.each([
  ['levels', '['.repeat(65) + ']'.repeat(65), /65 levels|64 are accepted/],
  ['values', `[${'{},'.repeat(200_000)}1]`, /262144 are accepted/],
  ['numbers', `[${'0,'.repeat(262_144)}1]`, /262144 are accepted/],
  ['members', `{${Array.from({ length: 16_385 }, (_, i) => `"${i}":0`).join()}}`, /16384 are accepted/],
])('a body with more %s than the limit is refused', (_, text, message) => {
  expect(() => parseJson(text)).toThrow(message);
});

test('brackets, commas and colons in strings do not count', () => {
  const text = JSON.stringify({ text: '[{,:'.repeat(100_000) });
  expect(parseJson(text)).toEqual(JSON.parse(text));
});

test('a byte order mark before a request is skipped', () => {
  expect(parseJsonObject('\ufeff{"a": 12345678901234567890}')).toEqual({ a: 12345678901234567890n });
  expect(parseJsonObject('\ufeff')).toEqual({});
  expect(() => parseJson('{"a": "\ufeff" \ufeff}')).toThrow(/not valid JSON/);
});
