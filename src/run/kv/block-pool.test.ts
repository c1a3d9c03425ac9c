import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BlockId } from '../../core/ids.js';
import { BlockPool } from './block-pool.js';

test('the block that was cached first is evicted first, unless it was used again', () => {
  const pool = new BlockPool(3);
  const blocks = [pool.take(), pool.take(), pool.take()];
  for (const block of blocks) pool.release(block, true);
  pool.retain(blocks[0]!);
  pool.release(blocks[0]!, true);
  expect(pool.oldestCached()).toBe(blocks[1]);
});

test.each([
  ['retaining a free block', (pool: BlockPool) => pool.retain(0 as BlockId)],
  ['releasing a free block', (pool: BlockPool) => pool.release(0 as BlockId, false)],
  ['dropping a block that is not cached', (pool: BlockPool) => pool.drop(0 as BlockId)],
  ['asking for the oldest of none', (pool: BlockPool) => pool.oldestCached()],
])('%s is a broken invariant', (_, act) => {
  expect(() => act(new BlockPool(2))).toThrow('Broken invariant');
});

test('taking from an empty pool is a broken invariant', () => {
  const pool = new BlockPool(1);
  pool.take();
  expect(() => pool.take()).toThrow('Broken invariant');
});

test('whatever happens, every block is free, owned or cached, once', () => {
  const step = fc.tuple(fc.constantFrom('take', 'retain', 'release', 'cache', 'drop'), fc.nat(5));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const pool = new BlockPool(6);
      const owners = new Int32Array(6);
      for (const [action, number] of steps) {
        const block = number as BlockId;
        if (action === 'take' && pool.freeCount > 0) owners[pool.take()]!++;
        else if (action === 'retain' && (owners[block]! > 0 || pool.isCached(block))) {
          pool.retain(block);
          owners[block]!++;
        } else if ((action === 'release' || action === 'cache') && owners[block]! > 0) {
          pool.release(block, action === 'cache');
          owners[block]!--;
        } else if (action === 'drop' && pool.isCached(block)) pool.drop(block);
        pool.checkIntegrity(owners, (cached) => pool.isCached(cached));
        expect(pool.freeCount + pool.cachedCount + pool.ownedCount).toBe(6);
      }
    }),
  );
});
