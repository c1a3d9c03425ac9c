import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { chunkLogits, chunkTokens } from './chunking.js';

const plain = { computedCount: 0, pendingCount: 100, scoredCount: 0, endsWithSample: true };

test.each([
  ['all of it', plain, { tokens: 200, logits: 1 }, 100],
  ['down to a block boundary', plain, { tokens: 50, logits: 1 }, 48],
  ['from the middle of a block to a boundary', { ...plain, computedCount: 5 }, { tokens: 50, logits: 1 }, 43],
  ['less than a block when there is no more', plain, { tokens: 7, logits: 1 }, 7],
  ['nothing', plain, { tokens: 0, logits: 1 }, 0],
  ['all but the sample when no logits are left', plain, { tokens: 200, logits: 0 }, 96],
  ['nothing when only the sample is left', { ...plain, pendingCount: 1 }, { tokens: 9, logits: 0 }, 0],
  ['as much as can be scored', { ...plain, scoredCount: 99 }, { tokens: 200, logits: 20 }, 16],
  ['scored to the end', { ...plain, scoredCount: 99 }, { tokens: 200, logits: 100 }, 100],
])('runs %s', (_, pending, budget, expected) => {
  expect(chunkTokens(pending, budget, 16)).toBe(expected);
});

test('a chunk keeps within every budget, and goes on while there is any', () => {
  const cases = fc.record({
    computedCount: fc.nat(40),
    pendingCount: fc.integer({ min: 1, max: 60 }),
    scored: fc.boolean(),
    endsWithSample: fc.boolean(),
    tokens: fc.integer({ min: 1, max: 80 }),
    logits: fc.integer({ min: 1, max: 80 }),
    blockTokens: fc.constantFrom(1, 4, 16),
  });
  fc.assert(
    fc.property(cases, ({ scored, tokens, logits, blockTokens, ...rest }) => {
      const pending = { ...rest, scoredCount: scored ? rest.pendingCount - 1 : 0 };
      const chunk = chunkTokens(pending, { tokens, logits }, blockTokens);
      expect(chunk).toBeGreaterThan(0);
      expect(chunk).toBeLessThanOrEqual(Math.min(tokens, pending.pendingCount));
      expect(chunkLogits(pending, chunk)).toBeLessThanOrEqual(logits);
    }),
  );
});
