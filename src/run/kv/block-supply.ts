import type { BlockId } from '../../core/ids.js';
import { BlockPool } from './block-pool.js';
import { HostTier } from './host-tier.js';
import { NO_ENTRY, PrefixIndex } from './prefix-index.js';

export interface SupplyShape {
  readonly blockTokens: number;
  readonly blockCount: number;
  /** 0 switches the host tier off. */
  readonly hostBlockCount: number;
}

/** A prefix in the index, with its last block. */
export interface IndexedPrefix {
  readonly memory: 'device' | 'host';
  readonly block: BlockId;
  readonly tokenIds: readonly number[];
}

/**
 * Source and destination of blocks: the device's pool, the prefix index that keeps released blocks useful, and the host
 * tier that keeps evicted ones. Places of the index are device blocks, then host blocks.
 */
export class BlockSupply {
  readonly device: BlockPool;
  readonly host: HostTier;
  readonly index: PrefixIndex;
  /** Device blocks taken since the start, and of these the ones that another prefix had to leave. */
  takenCount = 0;
  evictedCount = 0;

  constructor({ blockTokens, blockCount, hostBlockCount }: SupplyShape) {
    this.device = new BlockPool(blockCount);
    this.host = new HostTier(hostBlockCount);
    this.index = new PrefixIndex(blockCount + hostBlockCount, blockTokens);
  }

  /** Blocks that can be taken now: cached ones are evicted when needed. */
  get availableCount(): number {
    return this.device.freeCount + this.device.cachedCount;
  }

  /** A block for a new owner, evicting the least recently used cached one when none is free. */
  take(): BlockId {
    this.takenCount++;
    if (this.device.freeCount === 0) this.#evict();
    return this.device.take();
  }

  /** Gives up a table's blocks, later ones first, so that the oldest cached block is never the parent of another. */
  release(blocks: readonly BlockId[]): void {
    for (let i = blocks.length - 1; i >= 0; i--)
      this.device.release(blocks[i]!, this.index.entryAt(blocks[i]!) !== NO_ENTRY);
  }

  /** Blocks that using an entry takes out of `availableCount`: none if somebody holds it on the device. */
  costOf(entry: number): 0 | 1 {
    const place = this.index.placeOf(entry);
    return this.#isOnHost(place) || this.device.isCached(place as BlockId) ? 1 : 0;
  }

  /** Holds the block of an entry, wherever it lies, so that it is not evicted. */
  retainEntry(entry: number): void {
    const place = this.index.placeOf(entry);
    if (this.#isOnHost(place)) this.host.pool.retain(this.#hostBlock(place));
    else this.device.retain(place as BlockId);
  }

  /** The device block of a held entry, loaded from the host tier if it lies there. */
  onDevice(entry: number): BlockId {
    const place = this.index.placeOf(entry);
    if (!this.#isOnHost(place)) return place as BlockId;
    const block = this.loaded(this.#hostBlock(place));
    this.index.move(entry, block);
    return block;
  }

  /** A host block that receives the content of `block`. Needs an available host block. */
  saved(block: BlockId): BlockId {
    if (this.host.pool.freeCount === 0) {
      const oldest = this.host.pool.oldestCached();
      this.index.remove(this.index.entryAt(this.#placeOnHost(oldest)));
      this.host.pool.drop(oldest);
    }
    const host = this.host.pool.take();
    this.host.save(block, host);
    return host;
  }

  /** A device block that receives the content of an owned host block. */
  loaded(host: BlockId): BlockId {
    const block = this.take();
    this.host.load(host, block);
    return block;
  }

  /** @param hostOwners owners of host blocks besides loads in progress @throws {AloftError} INTERNAL */
  checkIntegrity(deviceOwners: Int32Array, hostOwners: Int32Array): void {
    this.host.countLoading(hostOwners);
    this.device.checkIntegrity(deviceOwners, (block) => this.index.entryAt(block) !== NO_ENTRY);
    this.host.pool.checkIntegrity(
      hostOwners,
      (block) => this.index.entryAt(this.#placeOnHost(block)) !== NO_ENTRY,
    );
    this.index.checkIntegrity();
  }

  /** Prefixes in the index, for inspection. */
  *prefixes(): Generator<IndexedPrefix> {
    for (const { place, tokenIds } of this.index.prefixes()) {
      yield this.#isOnHost(place)
        ? { memory: 'host', block: this.#hostBlock(place), tokenIds }
        : { memory: 'device', block: place as BlockId, tokenIds };
    }
  }

  /** Frees the oldest cached block of the device; with a host tier its content moves there. */
  #evict(): void {
    this.evictedCount++;
    const block = this.device.oldestCached();
    const entry = this.index.entryAt(block);
    if (this.host.availableCount > 0) {
      const host = this.saved(block);
      this.index.move(entry, this.#placeOnHost(host));
      this.host.pool.release(host, true);
    } else {
      this.index.remove(entry);
    }
    this.device.drop(block);
  }

  #isOnHost(place: number): boolean {
    return place >= this.device.blockCount;
  }

  #hostBlock(place: number): BlockId {
    return (place - this.device.blockCount) as BlockId;
  }

  #placeOnHost(host: BlockId): number {
    return this.device.blockCount + host;
  }
}
