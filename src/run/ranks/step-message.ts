/** The message of a step: one flat list of 32-bit numbers. Changes of slots since the step before travel with it. */
import { GREEDY } from '../../core/sampling.js';
import type { SlotState, StepInput } from '../../core/step.js';

/** A slot that is attached with a prompt of so many tokens, or detached. Ranks that do not sample need no more. */
export type SlotChange =
  | { readonly slot: number; readonly promptTokens: number }
  | { readonly slot: number; readonly promptTokens: undefined };

const DETACHED = -1;

/** Kinds of messages. */
const STEP = 1;
export const CLOSE = 2;

/** Numbers before the lists: kind, step id, tokens, rows, logits, table width, changes, three counts of block moves. */
const HEADER_LENGTH = 10;

/** The message in parts that lie one after another. @param tokenIds as {@link RankAgreement.announce} gives them */
export function stepParts(
  step: StepInput,
  tokenIds: Int32Array,
  changes: readonly SlotChange[],
): Int32Array[] {
  const { stepId, tokenCount, rowCount, logitCount, maxBlocksPerSequence } = step;
  const { blocksToHost, blocksFromHost, blockCopies } = step;
  const header = Int32Array.of(
    STEP,
    stepId,
    tokenCount,
    rowCount,
    logitCount,
    maxBlocksPerSequence,
    changes.length,
    blocksToHost.length,
    blocksFromHost.length,
    blockCopies.length,
  );
  return [
    header,
    Int32Array.from(changes.flatMap(({ slot, promptTokens }) => [slot, promptTokens ?? DETACHED])),
    tokenIds.subarray(0, tokenCount),
    step.positions.subarray(0, tokenCount),
    step.rowOffsets.subarray(0, rowCount + 1),
    step.rowSlots.subarray(0, rowCount),
    step.contextLengths.subarray(0, rowCount),
    step.blockTables.subarray(0, rowCount * maxBlocksPerSequence),
    step.logitTokens.subarray(0, logitCount),
    step.logitRows.subarray(0, logitCount),
    step.logitTargets.subarray(0, logitCount),
    blocksToHost,
    blocksFromHost,
    blockCopies,
  ];
}

export interface StepMessage {
  readonly changes: readonly SlotChange[];
  readonly step: StepInput;
}

/** @param message of kind STEP; the step's arrays are views of it */
export function readStep(message: Int32Array): StepMessage {
  const [, stepId = 0, tokenCount = 0, rowCount = 0, logitCount = 0, maxBlocksPerSequence = 0] = message;
  const [changeCount = 0, toHost = 0, fromHost = 0, copies = 0] = message.subarray(6, HEADER_LENGTH);
  let at = HEADER_LENGTH;
  const take = (length: number): Int32Array => message.subarray(at, (at += length));
  const changes = take(2 * changeCount);
  const step = {
    stepId,
    tokenCount,
    rowCount,
    logitCount,
    maxBlocksPerSequence,
    tokenIds: take(tokenCount),
    positions: take(tokenCount),
    rowOffsets: take(rowCount + 1),
    rowSlots: take(rowCount),
    contextLengths: take(rowCount),
    blockTables: take(rowCount * maxBlocksPerSequence),
    logitTokens: take(logitCount),
    logitRows: take(logitCount),
    logitTargets: take(logitCount),
    // Rank 0 samples for all, so the others get no masks.
    logitMasks: new Int32Array(logitCount).fill(-1),
    maskCount: 0,
    masks: new Int32Array(0),
    blocksToHost: take(toHost),
    blocksFromHost: take(fromHost),
    blockCopies: take(copies),
    returnLogits: false,
  };
  return { step, changes: Array.from({ length: changeCount }, (_, i) => changeAt(changes, 2 * i)) };
}

function changeAt(changes: Int32Array, at: number): SlotChange {
  const promptTokens = changes[at + 1]!;
  return { slot: changes[at]!, promptTokens: promptTokens === DETACHED ? undefined : promptTokens };
}

/** State of a slot for a rank that does not sample: the length of the prompt counts (dynamic RoPE), not its tokens. */
export function followedSlot(slot: number, promptTokens: number): SlotState {
  return {
    slot,
    sampling: GREEDY,
    isBeam: false,
    endIds: [],
    promptTokenIds: new Int32Array(promptTokens),
    outputTokenIds: new Int32Array(0),
  };
}

/** What a rank did in a step, or rank 0 expects it to have done: equal on all ranks. */
export function echoOf({ stepId, rowCount, tokenCount }: StepInput, round: number): readonly number[] {
  return [stepId, rowCount, tokenCount, round | 0];
}
