import { expect, it } from 'vitest';
import {
  fixedPieces,
  maxPieceCount,
  pieceCount,
  type PieceRule,
  pieceTokens,
  writePieces,
} from './cuda-pieces.js';

const THIRDS: PieceRule = { count: 3, minTokens: 128, maxTokens: 2048, stepTokens: 16 };
const RULES: readonly PieceRule[] = [
  THIRDS,
  fixedPieces(512),
  { count: 6, minTokens: 24, maxTokens: 120, stepTokens: 24 },
];

it('cuts a row into equal pieces, within bounds', () => {
  const cut = (tokens: number): readonly number[] => [
    pieceCount(THIRDS, tokens),
    pieceTokens(THIRDS, tokens),
  ];
  expect([1, 128, 129, 384, 385, 2048, 6144].map(cut)).toEqual([
    [1, 128],
    [1, 128],
    [2, 128],
    [3, 128],
    [3, 144],
    [3, 688],
    [3, 2048],
  ]);
  // Longer rows have a multiple of the pieces.
  expect([6145, 12_800].map(cut)).toEqual([
    [6, 1040],
    [9, 1424],
  ]);
  for (const rule of RULES)
    for (let tokens = 1; tokens < 10_000; tokens++) {
      const size = pieceTokens(rule, tokens);
      if (size < rule.minTokens || size > rule.maxTokens || size % rule.stepTokens > 0)
        expect(size, `${tokens} tokens`).toBe(rule);
    }
});

it('bounds the pieces of all rows that are not longer', () => {
  for (const rule of RULES) {
    let most = 0;
    for (let tokens = 1; tokens < 10_000; tokens++) {
      most = Math.max(most, pieceCount(rule, tokens));
      if (maxPieceCount(rule, tokens) < most)
        expect(maxPieceCount(rule, tokens), `${tokens} tokens`).toBe(most);
    }
    // No more room than the bounds make needed.
    expect(maxPieceCount(rule, 9999)).toBeLessThanOrEqual(most + rule.count);
  }
});

it('lists pieces that cover a row once', () => {
  for (const rule of RULES)
    for (const contextTokens of [1, 16, 17, 700, 2048, 9000]) {
      const words = new Int32Array(4096);
      const end = writePieces(words, 4, { row: 9, contextTokens, newToken: 5 }, rule);
      let covered = 0;
      for (let at = 4; at < end; at += 4) {
        const [place, size, ...rest] = words.subarray(at, at + 4);
        expect([place! >> 16, ...rest]).toEqual([9, contextTokens, 5]);
        expect((place! & 0xffff) * (size! & 0xffff)).toBe(covered);
        expect(size! >> 16).toBe((end - 4) / 4);
        covered += size! & 0xffff;
      }
      expect(covered).toBeGreaterThanOrEqual(contextTokens);
      // None is empty.
      expect(covered - (words[5]! & 0xffff)).toBeLessThan(contextTokens);
    }
});
