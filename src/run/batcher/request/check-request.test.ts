import { describe, expect, test } from 'vitest';
import type { TokenRequest } from '../../../core/request.js';
import { GREEDY } from '../../../core/sampling.js';
import { checkRequest } from './check-request.js';
import { tokenRequest } from '../testing/mixed-requests.js';

const CAPACITY = {
  limits: {
    vocabulary: 100,
    maxInputTokens: 40,
    maxOutputTokens: 30,
    maxSequenceTokens: 60,
    maxSequenceCount: 8,
    maxBeamWidth: 4,
    maxTopLogprobs: 5,
    maxBeamCandidates: 8,
    maxListNumbers: 9,
  },
  blockTokens: 4,
  blockCount: 20,
};
const prompt = (length: number) => ({ promptTokenIds: new Int32Array(length).fill(1) });
const beam = { width: 2, lengthPenalty: 1, earlyStopping: false };

const FAULTS: readonly (readonly [string, Partial<TokenRequest>, string, string])[] = [
  ['no prompt', prompt(0), 'REQUEST_INVALID', 'The prompt has no tokens'],
  ['a token outside', { promptTokenIds: Int32Array.of(1, 100) }, 'REQUEST_INVALID', 'Prompt token 1 is 100'],
  ['a negative token', { promptTokenIds: Int32Array.of(-1) }, 'REQUEST_INVALID', 'Prompt token 0 is -1'],
  ['a long prompt', prompt(41), 'PROMPT_TOO_LONG', '41 tokens, 1 more than the limit of 40'],
  ['no output', { maxOutputTokens: 0 }, 'REQUEST_INVALID', 'maxOutputTokens is 0'],
  ['a long output', { maxOutputTokens: 33 }, 'REQUEST_TOO_LARGE', '33 tokens, 3 more than the limit of 30'],
  ['a long whole', { ...prompt(40), maxOutputTokens: 25 }, 'REQUEST_TOO_LARGE', '65 tokens, 5 more'],
  ['too many sequences', { sequenceCount: 9 }, 'REQUEST_INVALID', 'sequenceCount is 9'],
  ['more than there are', { sequenceCount: 3, bestOf: 2 }, 'REQUEST_INVALID', 'larger than the 2 sequences'],
  ['wide beams', { beam: { ...beam, width: 5 } }, 'REQUEST_INVALID', 'beam.width is 5'],
  ['logprobs', { sampling: { ...GREEDY, logprobs: 6 } }, 'REQUEST_INVALID', 'logprobs is 6'],
  [
    'more beam candidates than the device reports',
    { beam, endIds: [1, 2, 3, 4], stopTokenLists: [[5], [6], [7]] },
    'REQUEST_INVALID',
    '2 beams beside 7 tokens and lists that end them need 9 candidates',
  ],
  [
    'long lists',
    { sampling: { ...GREEDY, badWords: [[1, 2]], logitBias: new Map([[3, 1]]) }, endIds: [1, 2, 3, 4, 5] },
    'REQUEST_INVALID',
    'take 10 numbers on the device, and 9 fit',
  ],
  [
    'more blocks than exist',
    { ...prompt(9), maxOutputTokens: 30, sequenceCount: 4, bestOf: 4 },
    'REQUEST_TOO_LARGE',
    'grow to 34 KV blocks of 4 tokens, 14 more than the 20',
  ],
];

describe('refuses', () => {
  test.each(FAULTS)('%s', (_, changes, code, message) => {
    const act = () => checkRequest(tokenRequest('a', changes), CAPACITY);
    expect(act).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  test('beams that the vocabulary cannot feed', () => {
    const capacity = { ...CAPACITY, limits: { ...CAPACITY.limits, vocabulary: 5 } };
    const request = tokenRequest('a', { beam: { ...beam, width: 4 }, endIds: [1, 2] });
    expect(() => checkRequest(request, capacity)).toThrow('4 beams beside 2 tokens');
    const sampling = { ...GREEDY, badWords: [[3], [1, 4]], logitBias: new Map([[0, -Infinity]]) };
    const banned = tokenRequest('a', { beam, sampling, endIds: [4] });
    checkRequest(banned, capacity);
    expect(() => checkRequest({ ...banned, stopTokenLists: [[3, 2]] }, capacity)).toThrow('beside 4 tokens');
  });
});

test('accepts what just fits', () => {
  checkRequest(tokenRequest('a', { ...prompt(40), maxOutputTokens: 20 }), CAPACITY);
  checkRequest(tokenRequest('a', { ...prompt(9), maxOutputTokens: 16, bestOf: 4 }), CAPACITY);
  const sampling = { ...GREEDY, badWords: [[1, 2]], logitBias: new Map([[3, 1]]) };
  checkRequest(tokenRequest('a', { sampling, endIds: [1, 2, 3, 4] }), CAPACITY);
});
