import { describe, expect, test } from 'vitest';
import type { BlockId, SlotId } from '../../core/ids.js';
import { KvCache, type KvCacheShape } from './kv-cache.js';

const slot = (index: number) => index as SlotId;
const TEXT = Int32Array.from({ length: 32 }, (_, i) => i + 100);

function open(changes: Partial<KvCacheShape> = {}): KvCache {
  const shape = { blockTokens: 4, blockCount: 8, hostBlockCount: 0, slotCount: 6, maxSequenceTokens: 32 };
  return new KvCache({ ...shape, prefixReuse: true, ...changes });
}

/** A sequence that computes the first `tokenCount` tokens of `tokens` in `index`. */
function run(kv: KvCache, index: number, tokenCount: number, tokens = TEXT): void {
  kv.open(slot(index), kv.match(tokens, tokenCount - 1, undefined));
  kv.grow(slot(index), tokenCount);
  kv.publish(slot(index), tokens, tokenCount, undefined);
  kv.checkIntegrity();
}

/** Hands the recorded moves to a step. */
function takeMoves(kv: KvCache) {
  const moves = { saves: [...kv.takeSaves()], loads: [...kv.takeLoads()], copies: [...kv.takeCopies()] };
  kv.checkIntegrity();
  return moves;
}

const table = (kv: KvCache, index: number) => kv.tables.list(slot(index));

describe('prefix reuse', () => {
  test('full blocks are shared, the last token never is', () => {
    const kv = open();
    run(kv, 0, 10);
    expect(kv.match(TEXT, 10, undefined).entries).toHaveLength(2);
    expect(kv.match(TEXT, 8, undefined).entries).toHaveLength(2);
    expect(kv.match(TEXT, 7, undefined).entries).toHaveLength(1);
    run(kv, 1, 12);
    expect(table(kv, 1).slice(0, 2)).toEqual(table(kv, 0).slice(0, 2));
    expect(kv.availableCount).toBe(8 - 4);
  });

  test('blocks stay cached after their sequence and cost one when used again', () => {
    const kv = open();
    run(kv, 0, 8);
    expect(kv.match(TEXT, 8, undefined).costBlocks).toBe(0);
    kv.close(slot(0));
    expect([kv.freeCount, kv.cachedCount]).toEqual([6, 2]);
    expect(kv.match(TEXT, 8, undefined).costBlocks).toBe(2);
  });

  test('nothing is shared across salts, nor without prefix reuse', () => {
    const kv = open();
    run(kv, 0, 8);
    expect(kv.match(TEXT, 8, 'tenant').entries).toEqual([]);
    const without = open({ prefixReuse: false });
    run(without, 0, 8);
    without.close(slot(0));
    expect(without.freeCount).toBe(8);
  });

  test('the later blocks of a prompt are evicted before the earlier ones', () => {
    const kv = open();
    run(kv, 0, 16);
    kv.close(slot(0));
    kv.open(slot(1), kv.match(TEXT, 0, undefined));
    kv.grow(slot(1), 4 * 6);
    kv.checkIntegrity();
    expect(kv.match(TEXT, 16, undefined).entries).toHaveLength(2);
  });

  test('what was matched is not evicted to make room for the rest', () => {
    const kv = open({ blockCount: 4 });
    run(kv, 0, 8);
    kv.close(slot(0));
    run(kv, 1, 16);
    expect(kv.match(TEXT, 16, undefined).entries).toHaveLength(4);
  });

  test('the same text computed twice at the same time is indexed once, without loose ends', () => {
    const kv = open();
    const empty = kv.match(TEXT, 0, undefined);
    for (const index of [0, 1]) {
      kv.open(slot(index), empty);
      kv.grow(slot(index), 8);
    }
    kv.publish(slot(0), TEXT, 4, undefined);
    kv.publish(slot(1), TEXT, 8, undefined);
    kv.close(slot(0));
    kv.checkIntegrity();
    kv.close(slot(1));
    kv.checkIntegrity();
    expect([...kv.prefixes()].map(({ tokenIds }) => tokenIds.length)).toEqual([4]);
  });
});

describe('forks', () => {
  test('share full blocks and copy a partly filled one', () => {
    const kv = open();
    run(kv, 0, 6);
    kv.fork(slot(0), slot(1), 6);
    expect(table(kv, 1)[0]).toBe(table(kv, 0)[0]);
    expect(takeMoves(kv).copies).toEqual([table(kv, 0)[1], table(kv, 1)[1]]);
    kv.close(slot(0));
    kv.checkIntegrity();
  });

  test('at a block boundary nothing is copied', () => {
    const kv = open();
    run(kv, 0, 8);
    expect(kv.forkCopies(8)).toBe(0);
    kv.fork(slot(0), slot(1), 8);
    expect(takeMoves(kv).copies).toEqual([]);
    expect(kv.availableCount).toBe(6);
  });

  test('beams that change places copy only where two continue one', () => {
    const kv = open();
    run(kv, 0, 6);
    const beams = [slot(0), slot(1), slot(2)];
    kv.reorder(beams, [0, 0, 0], 6);
    expect(takeMoves(kv).copies).toHaveLength(4);
    const before = beams.map((beam) => kv.tables.list(beam)[1]!);
    kv.reorder(beams, [2, 1, 1], 6);
    const after = beams.map((beam) => kv.tables.list(beam)[1]!);
    expect(after[0]).toBe(before[2]);
    expect(new Set(after).size).toBe(3);
    expect(takeMoves(kv).copies).toHaveLength(2);
    expect(kv.availableCount).toBe(8 - 4);
  });

  test('a table version stands for one growing list of blocks', () => {
    const kv = open();
    run(kv, 0, 4);
    const version = kv.tables.version(slot(0));
    kv.grow(slot(0), 12);
    expect(kv.tables.version(slot(0))).toBe(version);
    kv.reorder([slot(0), slot(1)], [0, 0], 12);
    expect(kv.tables.version(slot(0))).not.toBe(version);
    expect(kv.tables.version(slot(0))).not.toBe(kv.tables.version(slot(1)));
  });
});

describe('host tier', () => {
  test('evicted blocks are saved, found again and loaded', () => {
    const kv = open({ blockCount: 4, hostBlockCount: 4 });
    run(kv, 0, 8);
    const [, second] = table(kv, 0);
    kv.close(slot(0));
    run(kv, 1, 12, TEXT.subarray(16));
    expect(takeMoves(kv).saves).toEqual([second, 0]);
    kv.close(slot(1));
    const match = kv.match(TEXT, 8, undefined);
    expect([match.entries.length, match.costBlocks]).toEqual([2, 2]);
    kv.open(slot(2), match);
    const moves = takeMoves(kv);
    expect(moves.loads).toEqual([table(kv, 2)[1], 0]);
    expect(moves.saves).toHaveLength(2);
  });

  test('a host block that is being loaded is not overwritten in the same step', () => {
    const kv = open({ blockCount: 3, hostBlockCount: 1 });
    run(kv, 0, 4);
    kv.close(slot(0));
    run(kv, 1, 12, TEXT.subarray(16));
    kv.close(slot(1));
    takeMoves(kv);
    kv.open(slot(2), kv.match(TEXT, 4, undefined));
    expect(takeMoves(kv)).toEqual({ saves: [], loads: [table(kv, 2)[0], 0], copies: [] });
  });

  test('a group is swapped out and in with its sharing', () => {
    const kv = open({ blockCount: 5, hostBlockCount: 5, prefixReuse: false });
    run(kv, 0, 6);
    kv.fork(slot(0), slot(1), 6);
    takeMoves(kv);
    const image = kv.swapOut([slot(0), slot(1)])!;
    expect(takeMoves(kv).saves).toHaveLength(6);
    expect(kv.freeCount).toBe(5);
    kv.swapIn(image, [slot(3), slot(2)]);
    expect(table(kv, 2)[0]).toBe(table(kv, 3)[0]);
    expect(table(kv, 2)[1]).not.toBe(table(kv, 3)[1]);
    expect(takeMoves(kv).loads).toHaveLength(6);
    expect(kv.freeCount).toBe(2);
  });

  test('blocks of a sequence that ended while it was swapped out are not loaded', () => {
    const kv = open({ hostBlockCount: 5 });
    run(kv, 0, 6);
    kv.fork(slot(0), slot(1), 6);
    takeMoves(kv);
    const image = kv.swapOut([slot(0), slot(1)])!;
    takeMoves(kv);
    kv.swapIn(image, [-1 as SlotId, slot(1)]);
    expect(takeMoves(kv).loads).toHaveLength(4);
  });

  test('a group is not swapped out before its recorded copies and loads are made', () => {
    const kv = open({ hostBlockCount: 8 });
    run(kv, 0, 6);
    kv.fork(slot(0), slot(1), 6);
    expect(kv.swapOut([slot(0), slot(1)])).toBeUndefined();
    takeMoves(kv);
    const image = kv.swapOut([slot(0), slot(1)])!;
    takeMoves(kv);
    kv.swapIn(image, [slot(0), slot(1)]);
    expect(kv.swapOut([slot(0), slot(1)])).toBeUndefined();
    takeMoves(kv);
    expect(kv.swapOut([slot(0), slot(1)])).toBeDefined();
  });

  test('without room a group is not swapped, and a discarded image leaves nothing behind', () => {
    const kv = open({ hostBlockCount: 2 });
    run(kv, 0, 12);
    expect(kv.swapOut([slot(0)])).toBeUndefined();
    kv.close(slot(0));
    run(kv, 1, 6);
    const image = kv.swapOut([slot(1)])!;
    kv.discard(image);
    kv.checkIntegrity();
    run(kv, 2, 7);
    expect(kv.swapOut([slot(2)])).toBeDefined();
  });
});

test('a lost or doubled owner is a broken invariant', () => {
  const kv = open();
  run(kv, 0, 6);
  kv.tables.append(slot(1), 5 as BlockId);
  expect(() => kv.checkIntegrity()).toThrow('block 5 counts 0 owners, tables name it 1 times');
});
