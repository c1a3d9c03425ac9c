import type { BlockId } from '../../core/ids.js';
import { BlockPool } from './block-pool.js';
import { Int32List } from './int32-list.js';

/**
 * Block-sized places in host memory: a second chance for cached blocks that the device evicts, and the refuge of
 * preempted sequences. It records which moves the next step must make; it moves nothing itself.
 */
export class HostTier {
  readonly pool: BlockPool;
  /** (device, host) pairs to save and to load before the next step. */
  readonly saves = new Int32List();
  readonly loads = new Int32List();
  /** Host blocks that stay reserved until the next step has read them. */
  readonly #loading = new Int32List();

  constructor(blockCount: number) {
    this.pool = new BlockPool(blockCount);
  }

  /** Blocks that can be taken now, cached ones included. */
  get availableCount(): number {
    return this.pool.freeCount + this.pool.cachedCount;
  }

  save(device: BlockId, host: BlockId): void {
    this.saves.pushPair(device, host);
  }

  /** @param host owned; it is given back when the step that loads it has been handed out */
  load(host: BlockId, device: BlockId): void {
    this.loads.pushPair(device, host);
    this.#loading.push(host);
  }

  /** The step with all recorded moves has been handed out. */
  finishLoads(): void {
    for (let i = 0; i < this.#loading.length; i++) this.pool.release(this.#loading.at(i) as BlockId, false);
    this.#loading.clear();
  }

  /** Adds one per reserved block, for the integrity check. */
  countLoading(owners: Int32Array): void {
    for (let i = 0; i < this.#loading.length; i++) owners[this.#loading.at(i)]!++;
  }
}
