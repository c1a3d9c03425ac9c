/** A step from row objects: for tests, benchmarks and tools. The scheduler fills its arrays in place instead. */
import type { StepInput } from './step.js';

export interface StepRow {
  readonly slot: number;
  /** -1 takes the slot's last sampled token. */
  readonly tokenIds: readonly number[];
  readonly firstPosition: number;
  /** Blocks of the whole sequence. */
  readonly blocks: readonly number[];
  /** Tokens of this row whose logits are wanted, by index in `tokenIds`, ascending. Default: sample after the last one. */
  readonly wanted?: readonly {
    readonly index: number;
    readonly target: number;
    readonly mask?: Int32Array;
  }[];
}

type StepOptions = Partial<
  Pick<
    StepInput,
    'stepId' | 'blockCopies' | 'blocksToHost' | 'blocksFromHost' | 'returnLogits' | 'masksFollow'
  >
>;

export function buildStep(rows: readonly StepRow[], options: StepOptions = {}): StepInput {
  const maxBlocksPerSequence = Math.max(1, ...rows.map(({ blocks }) => blocks.length));
  const blockTables = new Int32Array(rows.length * maxBlocksPerSequence).fill(-1);
  const rowOffsets = new Int32Array(rows.length + 1);
  const positions: number[] = [];
  const logits: { token: number; row: number; target: number; mask: number }[] = [];
  const masks: Int32Array[] = [];
  rows.forEach((row, index) => {
    const first = rowOffsets[index]!;
    blockTables.set(row.blocks, index * maxBlocksPerSequence);
    rowOffsets[index + 1] = first + row.tokenIds.length;
    row.tokenIds.forEach((_, offset) => positions.push(row.firstPosition + offset));
    const sampled: NonNullable<StepRow['wanted']> = [{ index: row.tokenIds.length - 1, target: -1 }];
    for (const { index: offset, target, mask } of row.wanted ?? sampled) {
      logits.push({
        token: first + offset,
        row: index,
        target,
        mask: mask === undefined ? -1 : masks.length,
      });
      if (mask !== undefined) masks.push(mask);
    }
  });
  return {
    stepId: 0,
    tokenCount: positions.length,
    rowCount: rows.length,
    logitCount: logits.length,
    tokenIds: Int32Array.from(rows.flatMap(({ tokenIds }) => tokenIds)),
    positions: Int32Array.from(positions),
    rowOffsets,
    rowSlots: Int32Array.from(rows, ({ slot }) => slot),
    contextLengths: Int32Array.from(rows, (row) => row.firstPosition + row.tokenIds.length),
    blockTables,
    maxBlocksPerSequence,
    logitTokens: Int32Array.from(logits, ({ token }) => token),
    logitRows: Int32Array.from(logits, ({ row }) => row),
    logitTargets: Int32Array.from(logits, ({ target }) => target),
    logitMasks: Int32Array.from(logits, ({ mask }) => mask),
    maskCount: masks.length,
    masks: Int32Array.from(masks.flatMap((mask) => [...mask])),
    masksFollow: false,
    blockCopies: new Int32Array(0),
    blocksToHost: new Int32Array(0),
    blocksFromHost: new Int32Array(0),
    returnLogits: false,
    ...options,
  };
}
