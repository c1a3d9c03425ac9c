import type { BlockId, SlotId } from '../../core/ids.js';

/** The slot of a sequence that has none. */
export const NO_SLOT = -1 as SlotId;

/** The block tables of all slots in one array, so that a step copies rows without visiting objects. */
export class BlockTables {
  readonly maxBlocksPerSequence: number;
  readonly #blocks: Int32Array; // [slots, maxBlocksPerSequence]
  readonly #counts: Int32Array; // [slots]
  /** A number that no table had before; while it stays the same, a table only grows. */
  readonly #versions: Float64Array; // [slots]
  #lastVersion = 0;

  constructor(slotCount: number, maxBlocksPerSequence: number) {
    this.maxBlocksPerSequence = maxBlocksPerSequence;
    this.#blocks = new Int32Array(slotCount * maxBlocksPerSequence);
    this.#counts = new Int32Array(slotCount);
    this.#versions = new Float64Array(slotCount);
  }

  get slotCount(): number {
    return this.#counts.length;
  }

  count(slot: SlotId): number {
    return this.#counts[slot]!;
  }

  version(slot: SlotId): number {
    return this.#versions[slot]!;
  }

  at(slot: SlotId, index: number): BlockId {
    return this.#blocks[slot * this.maxBlocksPerSequence + index]! as BlockId;
  }

  append(slot: SlotId, block: BlockId): void {
    this.#blocks[slot * this.maxBlocksPerSequence + this.#counts[slot]!++] = block;
  }

  /** The table stops being append-only: its owner ended, or a beam changed its history. */
  replace(slot: SlotId, blocks: readonly BlockId[]): void {
    this.#blocks.set(blocks, slot * this.maxBlocksPerSequence);
    this.#counts[slot] = blocks.length;
    this.#versions[slot] = ++this.#lastVersion;
  }

  /** A copy, for the moments in which tables are rearranged. */
  list(slot: SlotId): readonly BlockId[] {
    const start = slot * this.maxBlocksPerSequence;
    return [...this.#blocks.subarray(start, start + this.#counts[slot]!)] as BlockId[];
  }
}
