import { expect, test } from 'vitest';
import { DEFAULT_BATCHER_OPTIONS, tokenLimits } from './batcher-options.js';

test.each([
  [3, [25, 24, true]],
  [16, [128, 127, undefined]],
])('of %i blocks of 8 tokens: which of engine and KV cache bounds a sequence', (blockCount, bounds) => {
  const limits = tokenLimits(DEFAULT_BATCHER_OPTIONS, {
    vocabulary: 32,
    maxRows: 4,
    maxStepTokens: 64,
    maxLogits: 8,
    maxSequenceTokens: 128,
    blockTokens: 8,
    blockCount,
    hostBlockCount: 0,
  });
  expect([limits.maxSequenceTokens, limits.maxInputTokens, limits.isCacheBound]).toEqual(bounds);
});
