import { invariant } from '../../core/errors.js';
import type { BlockId, SlotId } from '../../core/ids.js';
import { BlockSupply, type IndexedPrefix } from './block-supply.js';
import { BlockTables, NO_SLOT } from './block-tables.js';
import { Int32List } from './int32-list.js';
import { NO_ENTRY } from './prefix-index.js';

export interface KvCacheShape {
  readonly blockTokens: number;
  readonly blockCount: number;
  /** 0 switches the host tier off. */
  readonly hostBlockCount: number;
  readonly slotCount: number;
  readonly maxSequenceTokens: number;
  readonly prefixReuse: boolean;
}

/** Entries of the prefix index that a prompt begins with. Valid until the cache changes. */
export interface PrefixMatch {
  readonly entries: readonly number[];
  /** Blocks that the match takes out of `availableCount`: cached on the device or in host memory. */
  readonly costBlocks: number;
}

/** The KV of a preempted group in host memory. */
export interface SwapImage {
  readonly hostBlocks: readonly BlockId[];
  /** Per sequence: indexes into `hostBlocks`. */
  readonly tables: readonly (readonly number[])[];
}

const NO_MATCH: PrefixMatch = { entries: [], costBlocks: 0 };

/**
 * Owners of all KV blocks: block tables by slot, sharing, copy-on-write, prefix reuse, eviction, the host tier.
 * Only accounting: block moves are recorded and handed out with the next step (`takeCopies`, `takeSaves`, `takeLoads`).
 */
export class KvCache {
  readonly blockTokens: number;
  readonly tables: BlockTables;
  readonly #prefixReuse: boolean;
  readonly #supply: BlockSupply;
  readonly #copies = new Int32List();
  readonly #published: Int32Array; // [slots] full blocks offered to the index
  readonly #images = new Set<SwapImage>();

  constructor(shape: KvCacheShape) {
    this.blockTokens = shape.blockTokens;
    this.#prefixReuse = shape.prefixReuse;
    this.tables = new BlockTables(shape.slotCount, this.blocksFor(shape.maxSequenceTokens));
    this.#supply = new BlockSupply(shape);
    this.#published = new Int32Array(shape.slotCount);
  }

  get blockCount(): number {
    return this.#supply.device.blockCount;
  }

  get freeCount(): number {
    return this.#supply.device.freeCount;
  }

  get cachedCount(): number {
    return this.#supply.device.cachedCount;
  }

  /** Blocks that can be taken now: cached ones are evicted when needed. */
  get availableCount(): number {
    return this.#supply.availableCount;
  }

  /** Device blocks taken since the start, for whatever reason; cached ones that are used again are none. */
  get takenCount(): number {
    return this.#supply.takenCount;
  }

  /** Blocks among {@link takenCount} that were evicted from the prefix index to be taken. */
  get evictedCount(): number {
    return this.#supply.evictedCount;
  }

  /** Blocks that hold `tokenCount` tokens. */
  blocksFor(tokenCount: number): number {
    return Math.ceil(tokenCount / this.blockTokens);
  }

  /** Blocks that `slot` lacks to hold `tokenCount` tokens. */
  blocksMissing(slot: SlotId, tokenCount: number): number {
    return Math.max(0, this.blocksFor(tokenCount) - this.tables.count(slot));
  }

  /** The longest known prefix of `tokens[0, tokenCount)`, in full blocks. Changes nothing. */
  match(tokens: Int32Array, tokenCount: number, salt: string | undefined): PrefixMatch {
    if (!this.#prefixReuse) return NO_MATCH;
    const entries: number[] = [];
    let costBlocks = 0;
    let entry = NO_ENTRY;
    for (let start = 0; start + this.blockTokens <= tokenCount; start += this.blockTokens) {
      entry = this.#supply.index.find(entry, salt, tokens, start);
      if (entry === NO_ENTRY) break;
      entries.push(entry);
      costBlocks += this.#supply.costOf(entry);
    }
    return { entries, costBlocks };
  }

  /** Starts the table of `slot` with the blocks of `match`. Needs `match.costBlocks` available blocks. */
  open(slot: SlotId, match: PrefixMatch): void {
    this.tables.replace(slot, []);
    this.#published[slot] = match.entries.length;
    // Everything is held before anything is taken: taking evicts, and must not evict what was matched.
    for (const entry of match.entries) this.#supply.retainEntry(entry);
    for (const entry of match.entries) this.tables.append(slot, this.#supply.onDevice(entry));
  }

  /** Extends the table of `slot` to `tokenCount` tokens. Needs `blocksMissing` available blocks. */
  grow(slot: SlotId, tokenCount: number): void {
    for (let missing = this.blocksMissing(slot, tokenCount); missing > 0; missing--)
      this.tables.append(slot, this.#supply.take());
  }

  /** Adds the full blocks of `slot` to the prefix index, whose first `tokenCount` tokens are computed and known. */
  publish(slot: SlotId, tokens: Int32Array, tokenCount: number, salt: string | undefined): void {
    const fullCount = Math.floor(tokenCount / this.blockTokens);
    if (!this.#prefixReuse || this.#published[slot]! >= fullCount) return;
    for (let i = this.#published[slot]!; i < fullCount; i++)
      this.#publishBlock(slot, i, tokens, i * this.blockTokens, salt);
    this.#published[slot] = fullCount;
  }

  /** Copies that {@link fork} at `tokenCount` tokens makes: a partly filled last block cannot be shared. */
  forkCopies(tokenCount: number): number {
    return tokenCount % this.blockTokens === 0 ? 0 : 1;
  }

  /** `to` shares the first `tokenCount` tokens of `from`. Needs `forkCopies` available blocks. */
  fork(from: SlotId, to: SlotId, tokenCount: number): void {
    const sharedCount = Math.floor(tokenCount / this.blockTokens);
    this.tables.replace(to, this.tables.list(from).slice(0, sharedCount));
    this.#published[to] = Math.min(sharedCount, this.#published[from]!);
    for (let i = 0; i < sharedCount; i++) this.#supply.device.retain(this.tables.at(to, i));
    if (this.forkCopies(tokenCount) > 0)
      this.tables.append(to, this.#copyOf(this.tables.at(from, sharedCount)));
  }

  /**
   * Beams change their histories: `slots[i]` continues the first `tokenCount` tokens of `slots[parents[i]]`.
   * Needs as many available blocks as there are more children with a partly filled block than before.
   */
  reorder(slots: readonly SlotId[], parents: readonly number[], tokenCount: number): void {
    const oldTables = slots.map((slot) => this.tables.list(slot));
    const oldPublished = slots.map((slot) => this.#published[slot]!);
    const newTables = parents.map((parent) => [...oldTables[parent]!]);
    for (const table of newTables) for (const block of table) this.#supply.device.retain(block);
    for (const table of oldTables) this.#supply.release(table);
    const partial = this.forkCopies(tokenCount) > 0 ? Math.floor(tokenCount / this.blockTokens) : -1;
    for (const [i, table] of newTables.entries()) {
      if (partial >= 0) table[partial] = this.#unshared(table[partial]!);
      this.tables.replace(slots[i]!, table);
      this.#published[slots[i]!] = oldPublished[parents[i]!]!;
    }
  }

  /** Gives up the table of `slot`; published blocks stay cached until they are evicted. */
  close(slot: SlotId): void {
    this.#supply.release(this.tables.list(slot));
    this.tables.replace(slot, []);
    this.#published[slot] = 0;
  }

  /**
   * Moves the KV of a group to the host tier and closes its slots; undefined when the host tier has no room, or when
   * the content of a block is still to come: saves are made before the copies and loads that were recorded earlier.
   * @param slots one per sequence, NO_SLOT for those that ended
   */
  swapOut(slots: readonly SlotId[]): SwapImage | undefined {
    const tables = slots.map((slot) => (slot === NO_SLOT ? [] : this.tables.list(slot)));
    const unique = [...new Set(tables.flat())];
    if (
      unique.length > this.#supply.host.availableCount ||
      unique.some((block) => this.#awaitsContent(block))
    )
      return undefined;
    const position = new Map(unique.map((block, i) => [block, i]));
    const image: SwapImage = {
      hostBlocks: unique.map((block) => this.#supply.saved(block)),
      tables: tables.map((table) => table.map((block) => position.get(block)!)),
    };
    for (const slot of slots) if (slot !== NO_SLOT) this.close(slot);
    this.#images.add(image);
    return image;
  }

  /**
   * Brings a group back. Needs `image.hostBlocks.length` available blocks.
   * @param slots as for {@link swapOut}; sequences may have ended in between
   */
  swapIn(image: SwapImage, slots: readonly SlotId[]): void {
    this.#images.delete(image);
    const loaded = new Map<number, BlockId>();
    for (const [i, slot] of slots.entries()) {
      if (slot === NO_SLOT) continue;
      this.tables.replace(slot, []);
      this.#published[slot] = 0;
      for (const position of image.tables[i]!) {
        const block = loaded.get(position);
        if (block === undefined) loaded.set(position, this.#supply.loaded(image.hostBlocks[position]!));
        else this.#supply.device.retain(block);
        this.tables.append(slot, loaded.get(position)!);
      }
    }
    for (const [position, host] of image.hostBlocks.entries())
      if (!loaded.has(position)) this.#supply.host.pool.release(host, false);
  }

  /** The group of `image` ended while it was swapped out. */
  discard(image: SwapImage): void {
    this.#images.delete(image);
    for (const block of image.hostBlocks) this.#supply.host.pool.release(block, false);
  }

  /** (from, to) pairs for StepInput.blockCopies since the last call. */
  takeCopies(): Int32Array {
    return this.#copies.take();
  }

  /** (device, host) pairs for StepInput.blocksToHost since the last call. */
  takeSaves(): Int32Array {
    return this.#supply.host.saves.take();
  }

  /** (device, host) pairs for StepInput.blocksFromHost since the last call. */
  takeLoads(): Int32Array {
    this.#supply.host.finishLoads();
    return this.#supply.host.loads.take();
  }

  /** Prefixes in the index, for inspection. */
  prefixes(): Generator<IndexedPrefix> {
    return this.#supply.prefixes();
  }

  /** Compares all accounting with itself. @throws {AloftError} INTERNAL */
  checkIntegrity(): void {
    const deviceOwners = new Int32Array(this.blockCount);
    for (let slot = 0 as SlotId; slot < this.tables.slotCount; slot++)
      for (const block of this.tables.list(slot)) deviceOwners[block]!++;
    const hostOwners = new Int32Array(this.#supply.host.pool.blockCount);
    for (const image of this.#images) for (const block of image.hostBlocks) hostOwners[block]!++;
    this.#supply.checkIntegrity(deviceOwners, hostOwners);
  }

  #publishBlock(
    slot: SlotId,
    index: number,
    tokens: Int32Array,
    start: number,
    salt: string | undefined,
  ): void {
    const block = this.tables.at(slot, index);
    const parent = index === 0 ? NO_ENTRY : this.#supply.index.entryAt(this.tables.at(slot, index - 1));
    // A block is indexed only below the block before it in the same table: then nobody can hold it without its parent.
    if (index > 0 && parent === NO_ENTRY) return;
    if (this.#supply.index.entryAt(block) !== NO_ENTRY) return;
    if (this.#supply.index.find(parent, salt, tokens, start) === NO_ENTRY)
      this.#supply.index.add(parent, salt, tokens, start, block);
  }

  /** True while a recorded copy or load is to fill `block` with the next step. */
  #awaitsContent(block: BlockId): boolean {
    return this.#copies.pairsHave(block, 1) || this.#supply.host.loads.pairsHave(block, 0);
  }

  /** A copy of a partly filled block. */
  #copyOf(block: BlockId): BlockId {
    const copy = this.#supply.take();
    this.#copies.pushPair(block, copy);
    return copy;
  }

  /** `block` itself if nobody else holds it, else a copy that replaces the caller's hold. */
  #unshared(block: BlockId): BlockId {
    if (this.#supply.device.referenceCount(block) === 1) return block;
    invariant(
      this.#supply.index.entryAt(block) === NO_ENTRY,
      () => `partly filled block ${block} is indexed`,
    );
    const copy = this.#copyOf(block);
    this.#supply.device.release(block, false);
    return copy;
  }
}
