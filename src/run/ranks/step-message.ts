/** The message of a step: one flat list of 32-bit numbers. Changes of slots since the step before travel with it. */
import { GREEDY } from '../../core/sampling.js';
import type { SlotState, StepInput } from '../../core/step.js';

/** A slot that is attached or detached. Ranks that do not sample need no more of its state. */
export type SlotChange =
  | {
      readonly slot: number;
      readonly promptTokens: number;
      /** Token after which the sequence goes on; undefined before the first. */
      readonly lastToken: number | undefined;
      /** Numbers of most likely tokens that tokens report: they decide how a step is launched. */
      readonly sampledTops: number;
      readonly promptTops: number;
    }
  | { readonly slot: number; readonly promptTokens: undefined };

type AttachedSlot = Extract<SlotChange, { readonly promptTokens: number }>;

export const isAttached = (change: SlotChange): change is AttachedSlot => change.promptTokens !== undefined;

const NONE = -1;
/** Numbers of a change: slot, tokens of the prompt, last token, two numbers of most likely tokens. */
const CHANGE_LENGTH = 5;

/** Kinds of messages: a step, the end, the preparation of steps, the question for times of ops, whose number follows. */
export const STEP = 1;
export const CLOSE = 2;
export const PREPARE = 3;
export const TIMES = 4;

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
    Int32Array.from(changes.flatMap(numbersOf)),
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

export interface SentStep {
  readonly changes: readonly SlotChange[];
  readonly step: StepInput;
}

/** @param message of kind STEP; the step's arrays are views of it */
export function readStep(message: Int32Array): SentStep {
  const [, stepId = 0, tokenCount = 0, rowCount = 0, logitCount = 0, maxBlocksPerSequence = 0] = message;
  const [changeCount = 0, toHost = 0, fromHost = 0, copies = 0] = message.subarray(6, HEADER_LENGTH);
  let at = HEADER_LENGTH;
  const take = (length: number): Int32Array => message.subarray(at, (at += length));
  const changes = take(CHANGE_LENGTH * changeCount);
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
    masksFollow: false,
    blocksToHost: take(toHost),
    blocksFromHost: take(fromHost),
    blockCopies: take(copies),
    returnLogits: false,
  };
  return {
    step,
    changes: Array.from({ length: changeCount }, (_, i) => changeAt(changes, CHANGE_LENGTH * i)),
  };
}

function numbersOf(change: SlotChange): readonly number[] {
  if (change.promptTokens === undefined) return [change.slot, NONE, NONE, NONE, NONE];
  const { slot, promptTokens, lastToken = NONE, sampledTops, promptTops } = change;
  return [slot, promptTokens, lastToken, sampledTops, promptTops];
}

function changeAt(changes: Int32Array, at: number): SlotChange {
  const [slot, promptTokens, lastToken, sampledTops, promptTops] = changes.subarray(
    at,
    at + CHANGE_LENGTH,
  ) as unknown as [number, number, number, number, number];
  if (promptTokens === NONE) return { slot, promptTokens: undefined };
  const last = lastToken === NONE ? undefined : lastToken;
  return { slot, promptTokens, lastToken: last, sampledTops, promptTops };
}

/** Change of a slot that rank 0 attaches. */
export function attachmentOf({ slot, sampling, promptTokenIds, outputTokenIds }: SlotState): SlotChange {
  return {
    slot,
    promptTokens: promptTokenIds.length,
    lastToken: outputTokenIds.at(-1),
    sampledTops: sampling.logprobs ?? NONE,
    promptTops: sampling.promptLogprobs ?? NONE,
  };
}

/** State of a slot for a rank that does not sample: the length of the prompt counts (dynamic RoPE), not its tokens. */
export function followedSlot({ slot, promptTokens, lastToken, ...tops }: AttachedSlot): SlotState {
  const [logprobs, promptLogprobs] = [tops.sampledTops, tops.promptTops].map((count) =>
    count === NONE ? undefined : count,
  );
  return {
    slot,
    sampling: { ...GREEDY, logprobs, promptLogprobs },
    isBeam: false,
    endIds: [],
    promptTokenIds: new Int32Array(promptTokens),
    outputTokenIds: lastToken === undefined ? new Int32Array(0) : Int32Array.of(lastToken),
  };
}

/**
 * Work that a rank did in a step, or that rank 0 expects it to have done: equal on all ranks.
 * @param round exchanges of the host so far @param launch see {@link Executor.launch}
 */
export function echoOf(
  { stepId, rowCount, tokenCount }: StepInput,
  round: number,
  launch = 0,
): readonly number[] {
  return [stepId, rowCount, tokenCount, round | 0, launch];
}
