import { invariant } from '../../core/errors.js';
import type { BlockId } from '../../core/ids.js';

/** Marks a block that is not in the list of cached blocks. */
const UNLINKED = -1;

/**
 * The blocks of one memory (device or host) and the state of each: free, owned (reference count >= 1), or cached
 * (count 0, kept because the prefix index names it). Cached blocks form a list, least recently used first.
 */
export class BlockPool {
  readonly blockCount: number;
  readonly #references: Int32Array; // [blocks]
  readonly #freeStack: Int32Array; // [blocks]
  #freeUsed: number;
  #cachedUsed = 0;
  /** Circular list of cached blocks, whose head is entry `blockCount`. */
  readonly #next: Int32Array; // [blocks + 1]
  readonly #previous: Int32Array; // [blocks + 1]

  constructor(blockCount: number) {
    this.blockCount = blockCount;
    this.#references = new Int32Array(blockCount);
    this.#freeStack = Int32Array.from({ length: blockCount }, (_, i) => blockCount - 1 - i);
    this.#freeUsed = blockCount;
    this.#next = new Int32Array(blockCount + 1).fill(UNLINKED);
    this.#previous = new Int32Array(blockCount + 1).fill(UNLINKED);
    this.#next[blockCount] = blockCount;
    this.#previous[blockCount] = blockCount;
  }

  get freeCount(): number {
    return this.#freeUsed;
  }

  get cachedCount(): number {
    return this.#cachedUsed;
  }

  get ownedCount(): number {
    return this.blockCount - this.#freeUsed - this.#cachedUsed;
  }

  referenceCount(block: BlockId): number {
    return this.#references[block]!;
  }

  isCached(block: BlockId): boolean {
    return this.#next[block]! !== UNLINKED;
  }

  /** free -> owned. The caller makes sure that `freeCount` is not 0. */
  take(): BlockId {
    invariant(this.#freeUsed > 0, () => 'a block was taken from a pool without free blocks');
    const block = this.#freeStack[--this.#freeUsed]! as BlockId;
    this.#references[block] = 1;
    return block;
  }

  /** One more owner of an owned or cached block. */
  retain(block: BlockId): void {
    if (this.isCached(block)) this.#unlink(block);
    else invariant(this.#references[block]! > 0, () => `free block ${block} was retained`);
    this.#references[block]!++;
  }

  /** One owner less; a block without owners becomes cached (the most recently used one) or free. */
  release(block: BlockId, keepCached: boolean): void {
    invariant(this.#references[block]! > 0, () => `block ${block} was released without an owner`);
    if (--this.#references[block]! > 0) return;
    if (keepCached) this.#link(block);
    else this.#freeStack[this.#freeUsed++] = block;
  }

  /** cached -> free: the prefix index no longer names the block. */
  drop(block: BlockId): void {
    invariant(this.isCached(block), () => `block ${block} was dropped but is not cached`);
    this.#unlink(block);
    this.#freeStack[this.#freeUsed++] = block;
  }

  /** The least recently used cached block. The caller makes sure that `cachedCount` is not 0. */
  oldestCached(): BlockId {
    invariant(this.#cachedUsed > 0, () => 'a pool without cached blocks was asked for the oldest');
    return this.#next[this.blockCount]! as BlockId;
  }

  /** Compares every block's state with who owns it and whether the prefix index names it. @throws {AloftError} INTERNAL */
  checkIntegrity(expectedOwners: Int32Array, isIndexed: (block: BlockId) => boolean): void {
    const isFree = new Uint8Array(this.blockCount);
    for (let i = 0; i < this.#freeUsed; i++) isFree[this.#freeStack[i]!]!++;
    let cachedSeen = 0;
    for (let block = 0 as BlockId; block < this.blockCount; block++) {
      const owners = this.#references[block]!;
      const cached = this.isCached(block);
      cachedSeen += Number(cached);
      invariant(
        owners === expectedOwners[block],
        () => `block ${block} counts ${owners} owners, tables name it ${expectedOwners[block]} times`,
      );
      invariant(
        1 === Number(owners > 0) + Number(cached) + isFree[block]!,
        () => `block ${block}: ${owners} owners, cached ${cached}, ${isFree[block]} times free`,
      );
      invariant(!cached || isIndexed(block), () => `cached block ${block} is not in the prefix index`);
      invariant(isFree[block] === 0 || !isIndexed(block), () => `free block ${block} is in the prefix index`);
    }
    invariant(
      cachedSeen === this.#cachedUsed,
      () => `${cachedSeen} cached blocks, counted ${this.#cachedUsed}`,
    );
  }

  #link(block: BlockId): void {
    const head = this.blockCount;
    const last = this.#previous[head]!;
    this.#next[last] = block;
    this.#previous[block] = last;
    this.#next[block] = head;
    this.#previous[head] = block;
    this.#cachedUsed++;
  }

  #unlink(block: BlockId): void {
    const before = this.#previous[block]!;
    const after = this.#next[block]!;
    this.#next[before] = after;
    this.#previous[after] = before;
    this.#next[block] = UNLINKED;
    this.#previous[block] = UNLINKED;
    this.#cachedUsed--;
  }
}
