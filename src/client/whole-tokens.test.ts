import { expect, test } from 'vitest';
import { type ScoredToken, wholeTokens } from './whole-tokens.js';

const token = (text: string, probability = 0.5): ScoredToken => ({
  text,
  probability,
  others: [{ text: 'other', probability: 0.1 }],
});

test('tokens that came in one piece stay apart, with their alternatives', () => {
  const tokens = [token(' Layers'), token(' learn'), token(':')];
  expect(wholeTokens(' Layers learn:', tokens)).toEqual(tokens);
});

test('parts of a character are one token, wherever in the piece they are', () => {
  const parts = [token('\uFFFD'), token('\uFFFD'), token('')];
  const shown = wholeTokens('a 😀 b', [token('a '), ...parts, token(' b')]);
  expect(shown.map(({ text }) => text)).toEqual(['a ', '😀', ' b']);
  expect(shown[1]).toEqual({ text: '😀', probability: 0.125, others: [] });
  expect(wholeTokens('😀', parts)).toEqual([{ text: '😀', probability: 0.125, others: [] }]);
});

test('a token whose text was cut keeps its alternatives', () => {
  expect(wholeTokens('Layers', [token(' Layers')])).toEqual([token('Layers')]);
  expect(wholeTokens('Layers learn', [token(' Layers'), token(' learn')])).toEqual([
    token('Layers'),
    token(' learn'),
  ]);
});

test('without text there is nothing to show', () => {
  expect(wholeTokens('', [token('\uFFFD')])).toEqual([]);
  expect(wholeTokens('not scored', [])).toEqual([]);
});
