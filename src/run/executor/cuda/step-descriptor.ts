/** The step as one block of 32-bit integers, copied to the device in one piece. */
import type { StepInput } from '../../../core/step.js';
import { ceilDiv } from '../../../ops/cuda/launch.js';
import type { CudaTarget } from '../../../ops/cuda/capability.js';
import { prefillKernelFor } from '../../../ops/paged-attention/cuda.js';
import { decodeKernelOf, decodeKernelsFor } from '../../../ops/paged-attention/cuda-decode.js';
import { keyTileRoom, keyTilesOf, type PrefillRow } from '../../../ops/paged-attention/cuda-expand.js';
import {
  DECODE_ITEM_WORDS,
  pieceCount,
  type PieceRule,
  writePieces,
} from '../../../ops/paged-attention/cuda-pieces.js';
import { DESCRIPTOR_FIELDS, type DescriptorField } from '../../../ops/cuda/step-fields.js';
import type { Plan } from '../../../plan/plan.js';
import type { ExecutorLimits } from '../executor.js';

/** Room in a descriptor. A captured graph fixes it, so that addresses stay. */
export interface DescriptorCapacity {
  readonly tokens: number;
  readonly rows: number;
  readonly logits: number;
  /** Pieces of decode attention: (row, split of the cached tokens). */
  readonly decodeItems: number;
  /** Pieces of prefill attention: (row, group of queries). */
  readonly prefillTiles: number;
  /** Tiles of keys that are expanded for it: (row, group of keys). */
  readonly keyTiles: number;
  readonly maxBlocks: number;
}

export interface DescriptorLayout {
  readonly capacity: DescriptorCapacity;
  /** In integers. */
  readonly offsets: Readonly<Record<DescriptorField, number>>;
  readonly length: number;
}

const ALIGNMENT = 4;

export function descriptorLayout(capacity: DescriptorCapacity): DescriptorLayout {
  const { tokens, rows, logits } = capacity;
  const lengths: Record<DescriptorField, number> = {
    itemCount: 1,
    tokenIds: tokens,
    positions: tokens,
    tokenRows: tokens,
    rowOffsets: rows + 1,
    rowSlots: rows,
    contextLengths: rows,
    logitTokens: logits,
    logitRows: logits,
    logitTargets: logits,
    logitMasks: logits,
    decodeItems: DECODE_ITEM_WORDS * capacity.decodeItems,
    prefillTiles: capacity.prefillTiles,
    keyTiles: capacity.keyTiles,
    firstKeyTiles: capacity.keyTiles > 0 ? capacity.prefillTiles : 0,
    blockTables: rows * capacity.maxBlocks,
  };
  let length = 0;
  const offsets = {} as Record<DescriptorField, number>;
  for (const field of DESCRIPTOR_FIELDS) {
    offsets[field] = length;
    length += ceilDiv(lengths[field], ALIGNMENT) * ALIGNMENT;
  }
  return { capacity, offsets, length };
}

/** Pieces of attention in a step. */
export interface AttentionWork {
  readonly decodeItems: number;
  readonly prefillTiles: number;
  readonly keyTiles: number;
  /** Every row brings one token, whose logits are wanted, in order. */
  readonly isDecode: boolean;
}

export interface AttentionSplit {
  /** The rule that cuts rows for decode attention in a step of so many tokens. */
  readonly pieces: (tokens: number) => PieceRule;
  /** Queries of a piece of prefill attention. */
  readonly queryTile: number;
  /** Tiles of keys that there is room to expand. */
  readonly keyTileRoom: number;
}

/** Sizes of the pieces of attention that the kernels of a plan take on a device. */
export function attentionSplit(
  plan: Plan,
  target: CudaTarget,
  limits: Pick<ExecutorLimits, 'blockTokens' | 'maxStepTokens' | 'maxSequenceTokens'>,
): AttentionSplit {
  const { blockTokens } = limits;
  const { queryTile, expands } = prefillKernelFor(plan, target.computeCapability, blockTokens);
  const decodeKernels = decodeKernelsFor(plan, target.computeCapability, blockTokens);
  return {
    pieces: (tokens) => decodeKernelOf(decodeKernels, tokens).pieces(tokens, target),
    queryTile,
    keyTileRoom: expands ? keyTileRoom(plan.dims, limits) : 0,
  };
}

export function countAttentionWork(
  step: StepInput,
  { pieces, queryTile, keyTileRoom }: AttentionSplit,
): AttentionWork {
  const rule = pieces(step.tokenCount);
  let decodeItems = 0;
  let prefillTiles = 0;
  for (let row = 0; row < step.rowCount; row++) {
    const tokens = step.rowOffsets[row + 1]! - step.rowOffsets[row]!;
    if (tokens === 1) decodeItems += pieceCount(rule, step.contextLengths[row]!);
    else prefillTiles += ceilDiv(tokens, queryTile);
  }
  let isDecode = step.tokenCount === step.rowCount && step.logitCount === step.rowCount;
  for (let i = 0; isDecode && i < step.logitCount; i++) isDecode = step.logitTokens[i] === i;
  const keyTiles = keyTileRoom > 0 ? keyTilesOf(prefillRows(step), keyTileRoom) : 0;
  return { decodeItems, prefillTiles, keyTiles, isDecode };
}

/** Rows that bring several tokens. */
function* prefillRows(step: StepInput): Generator<PrefillRow> {
  for (let row = 0; row < step.rowCount; row++) {
    const newTokens = step.rowOffsets[row + 1]! - step.rowOffsets[row]!;
    if (newTokens > 1) yield { newTokens, contextTokens: step.contextLengths[row]! };
  }
}

/** Writes a step into `words`; rows, tokens and logits beyond the step's become harmless padding. */
export function fillDescriptor(
  words: Int32Array,
  { capacity, offsets }: DescriptorLayout,
  step: StepInput,
  split: AttentionSplit,
): void {
  const { tokenCount, rowCount, logitCount } = step;
  const put = (field: DescriptorField, source: Int32Array, count: number): void =>
    words.set(source.subarray(0, count), offsets[field]);
  put('tokenIds', step.tokenIds, tokenCount);
  put('positions', step.positions, tokenCount);
  put('rowOffsets', step.rowOffsets, rowCount + 1);
  put('rowSlots', step.rowSlots, rowCount);
  put('contextLengths', step.contextLengths, rowCount);
  put('logitTokens', step.logitTokens, logitCount);
  put('logitRows', step.logitRows, logitCount);
  put('logitTargets', step.logitTargets, logitCount);
  put('logitMasks', step.logitMasks, logitCount);
  padDescriptor(words, { capacity, offsets }, step);

  const rule = split.pieces(tokenCount);
  let item = offsets.decodeItems;
  let tile = offsets.prefillTiles;
  let keyTile = 0;
  for (let row = 0; row < rowCount; row++) {
    const [begin, end] = [step.rowOffsets[row]!, step.rowOffsets[row + 1]!];
    words.fill(row, offsets.tokenRows + begin, offsets.tokenRows + end);
    if (end - begin === 1) {
      const cut = { row, contextTokens: step.contextLengths[row]!, newToken: begin };
      item = writePieces(words, item, cut, rule);
    } else {
      // The last queries see the most tokens: kernels that start with them do not end with one long piece.
      const firstTile = tile;
      for (let i = ceilDiv(end - begin, split.queryTile) - 1; i >= 0; i--) words[tile++] = (row << 16) | i;
      if (capacity.keyTiles > 0) {
        const firstKeys = offsets.firstKeyTiles - offsets.prefillTiles;
        words.fill(keyTile, firstKeys + firstTile, firstKeys + tile);
        const tiles = ceilDiv(step.contextLengths[row]!, split.queryTile);
        for (let i = 0; i < tiles; i++) words[offsets.keyTiles + keyTile++] = (row << 16) | i;
      }
    }
    const table = row * step.maxBlocksPerSequence;
    const used = Math.min(step.maxBlocksPerSequence, capacity.maxBlocks);
    words.set(step.blockTables.subarray(table, table + used), offsets.blockTables + row * capacity.maxBlocks);
  }
  words[offsets.itemCount] = (item - offsets.decodeItems) / DECODE_ITEM_WORDS;
}

/** Padding tokens have id 0, one row each without a slot, and no attention. */
function padDescriptor(
  words: Int32Array,
  { capacity, offsets }: Pick<DescriptorLayout, 'capacity' | 'offsets'>,
  { tokenCount, rowCount, logitCount }: StepInput,
): void {
  const fill = (field: DescriptorField, value: number, from: number, to: number): void => {
    words.fill(value, offsets[field] + from, offsets[field] + to);
  };
  fill('tokenIds', 0, tokenCount, capacity.tokens);
  fill('positions', 0, tokenCount, capacity.tokens);
  fill('rowSlots', -1, rowCount, capacity.rows);
  fill('contextLengths', 0, rowCount, capacity.rows);
  fill('logitTargets', -1, logitCount, capacity.logits);
  fill('logitMasks', -1, logitCount, capacity.logits);
  for (let row = rowCount; row < capacity.rows; row++) words[offsets.rowOffsets + row + 1] = row + 1;
  for (let token = tokenCount; token < capacity.tokens; token++)
    words[offsets.tokenRows + token] = Math.min(token, capacity.rows - 1);
  for (let logit = logitCount; logit < capacity.logits; logit++) {
    words[offsets.logitTokens + logit] = logit;
    words[offsets.logitRows + logit] = logit;
  }
}
