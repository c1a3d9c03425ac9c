import { expect, test } from 'vitest';
import { checkCards, decodeCard, encodeCard, type RankCard } from './rank-card.js';

const CARD: RankCard = {
  host: 'here',
  uuid: 'GPU-8f3c2a10-0001-4e00-8000-00000000abcd',
  byteLength: 2 ** 33 + 4096,
  handle: Uint8Array.from({ length: 72 }, (_, i) => 255 - i),
};

test('a card survives its way to the other ranks', () => {
  expect(decodeCard(encodeCard(CARD))).toEqual(CARD);
  expect(decodeCard(encodeCard({ ...CARD, handle: undefined }))).toEqual({ ...CARD, handle: undefined });
  expect(encodeCard(CARD).byteLength % 4).toBe(0);
});

test('two ranks on one GPU are refused unless that is allowed, in words that name both', () => {
  const other = { ...CARD, host: 'here', uuid: 'GPU-other' };
  expect(() => checkCards([CARD, other], false)).not.toThrow();
  expect(() => checkCards([CARD, CARD], true)).not.toThrow();
  expect(() => checkCards([other, CARD, CARD], false)).toThrow(
    /^Ranks 1 and 2 are on the same GPU \(GPU-8f3c.*--share_gpu/,
  );
});

test('ranks of other sizes than rank 0 are refused', () => {
  expect(() =>
    checkCards([CARD, { ...CARD, host: 'here', uuid: 'GPU-other', byteLength: 1 }], false),
  ).toThrowError(expect.objectContaining({ code: 'RANK_DIVERGED' }) as Error);
});
