/** Checks of what an executor is given, before anything is read or written at places that the numbers name. */
import { brokenInvariant, invariant } from '../../core/errors.js';
import { listNumberCount } from '../../core/sampling.js';
import type { SlotState, StepInput } from '../../core/step.js';
import { maskWords } from '../../ops/sample/contract.js';
import type { ExecutorLimits } from './executor.js';

/** Facts about an attached slot that decide whether a step may name it. */
export interface CheckedSlot {
  /** A token was sampled for the slot, or it was attached with output: a token id of -1 stands for it. */
  readonly hasLastToken: boolean;
}

/** Attached slots by number. */
export type CheckedSlots = Pick<ReadonlyMap<number, CheckedSlot>, 'get'>;

/**
 * Stops on a step that would read or write out of bounds. Each check is one comparison, and a message is made only when it
 * fails, because this runs before every step (bench/step/check-step.mjs measures it).
 * @throws {AloftError} INTERNAL
 */
export function checkStep(step: StepInput, limits: ExecutorLimits, slots: CheckedSlots): void {
  checkCounts(step, limits);
  for (let row = 0; row < step.rowCount; row++) {
    checkTokens(step, row, limits, slots);
    checkBlocks(step, row, limits);
  }
  checkLogits(step, limits);
  checkMasks(step, limits);
  checkPairs('copied', step.blockCopies, [limits.blockCount, limits.blockCount]);
  checkPairs('saved', step.blocksToHost, [limits.blockCount, limits.hostBlockCount]);
  checkPairs('loaded', step.blocksFromHost, [limits.blockCount, limits.hostBlockCount]);
}

function checkCounts(step: StepInput, limits: ExecutorLimits): void {
  const { stepId, tokenCount, rowCount, logitCount, rowOffsets, blockTables } = step;
  if (!(tokenCount <= limits.maxStepTokens && rowCount <= limits.maxRows && logitCount <= limits.maxLogits))
    throw brokenInvariant(
      `step ${stepId} of ${tokenCount} tokens, ${rowCount} rows, ${logitCount} logits exceeds the limits`,
    );
  if (rowOffsets[0] !== 0 || rowOffsets[rowCount] !== tokenCount)
    throw brokenInvariant(`step ${stepId}: rows do not cover its tokens`);
  if (blockTables.length < rowCount * step.maxBlocksPerSequence)
    throw brokenInvariant(`step ${stepId}: ${blockTables.length} block ids are too few for its rows`);
}

function checkTokens(step: StepInput, row: number, limits: ExecutorLimits, slots: CheckedSlots): void {
  const { rowOffsets, rowSlots, contextLengths, tokenIds, positions } = step;
  const first = rowOffsets[row]!;
  const end = rowOffsets[row + 1]!;
  const contextTokens = contextLengths[row]!;
  const slot = slots.get(rowSlots[row]!);
  if (slot === undefined)
    throw brokenInvariant(`row ${row} names slot ${rowSlots[row]}, which is not attached`);
  if (!(first < end)) throw brokenInvariant(`row ${row} has no tokens`);
  const before = contextTokens - (end - first);
  if (!(before >= 0 && contextTokens <= limits.maxSequenceTokens))
    throw brokenInvariant(`row ${row} has ${end - first} tokens and ends with ${contextTokens} in the cache`);
  const lowestId = slot.hasLastToken ? -1 : 0;
  for (let token = first; token < end; token++) {
    const id = tokenIds[token]!;
    if (!(id >= lowestId && id < limits.vocabulary)) throw brokenInvariant(wrongToken(id, row, limits));
    if (positions[token] !== before + token - first)
      throw brokenInvariant(`row ${row} has position ${positions[token]} at token ${token - first}`);
  }
}

function wrongToken(id: number, row: number, { vocabulary }: ExecutorLimits): string {
  return id === -1
    ? `row ${row} feeds back a token, and its slot has sampled none`
    : `row ${row} has token id ${id} of a vocabulary of ${vocabulary}`;
}

function checkBlocks(step: StepInput, row: number, { blockTokens, blockCount }: ExecutorLimits): void {
  const { blockTables, maxBlocksPerSequence } = step;
  const count = Math.ceil(step.contextLengths[row]! / blockTokens);
  if (count > maxBlocksPerSequence)
    throw brokenInvariant(`row ${row} needs ${count} blocks and its table has ${maxBlocksPerSequence}`);
  const start = row * maxBlocksPerSequence;
  if (areBelow(blockTables, start, start + count, blockCount)) return;
  const ids = blockTables.subarray(start, start + count);
  throw brokenInvariant(`row ${row} names blocks ${ids.join()} of ${blockCount}`);
}

/**
 * Whether every number of a range of `ids` is from 0 to `count - 1`. The sign of a union of bits shows a negative number and
 * one above the last; four at a time, because long sequences have many blocks: 0.65 ns each, and 1 ns one by one.
 */
function areBelow(ids: Int32Array, start: number, end: number, count: number): boolean {
  const last = count - 1;
  let signs = 0;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const a = ids[i]!;
    const b = ids[i + 1]!;
    const c = ids[i + 2]!;
    const d = ids[i + 3]!;
    signs |= a | b | c | d | (last - a) | (last - b) | (last - c) | (last - d);
  }
  for (; i < end; i++) signs |= ids[i]! | (last - ids[i]!);
  return signs >= 0;
}

function checkLogits(step: StepInput, { vocabulary }: ExecutorLimits): void {
  const { rowCount, logitCount, rowOffsets, logitTokens, logitRows, logitTargets } = step;
  for (let i = 0; i < logitCount; i++) {
    const token = logitTokens[i]!;
    const row = logitRows[i]!;
    const target = logitTargets[i]!;
    const isInside = row >= 0 && row < rowCount && token >= rowOffsets[row]! && token < rowOffsets[row + 1]!;
    if (!(isInside && target >= -1 && target < vocabulary))
      throw brokenInvariant(`logit ${i}: token ${token}, row ${row}, target ${target}`);
  }
}

/** Masks are read by number, and the device has room for one a row. */
function checkMasks(step: StepInput, limits: ExecutorLimits): void {
  const { maskCount, masks, masksFollow, logitCount, logitMasks } = step;
  if (!(maskCount <= limits.maxRows))
    throw brokenInvariant(`step ${step.stepId} has ${maskCount} masks for ${limits.maxRows} rows`);
  if (!masksFollow) checkMaskWords(step, masks, limits);
  for (let i = 0; i < logitCount; i++)
    if (!(logitMasks[i]! >= -1 && logitMasks[i]! < maskCount))
      throw brokenInvariant(`logit ${i} names mask ${logitMasks[i]} of ${maskCount}`);
}

function checkMaskWords({ stepId, maskCount }: StepInput, masks: Int32Array, limits: ExecutorLimits): void {
  if (!(masks.length >= maskCount * maskWords(limits.vocabulary)))
    throw brokenInvariant(`step ${stepId} has ${maskCount} masks in ${masks.length} words`);
}

/** The step whose masks have not come yet. Only the last step of an executor can be one. */
export class MaskWait {
  #step: StepInput | undefined;

  /** Notes a checked step. @throws {AloftError} INTERNAL while the step before it waits, and on one that waits for no masks */
  submit(step: StepInput): void {
    const waiting = this.#step;
    if (waiting !== undefined)
      throw brokenInvariant(`step ${step.stepId} is submitted before the masks of step ${waiting.stepId}`);
    if (step.masksFollow && step.maskCount === 0)
      throw brokenInvariant(`step ${step.stepId} waits for masks and has none`);
    if (step.masksFollow) this.#step = step;
  }

  /** @returns the step that waited, with its masks @throws {AloftError} INTERNAL when it is another one, or masks are missing */
  supply(stepId: number, masks: Int32Array, limits: ExecutorLimits): StepInput {
    const step = this.#step;
    if (step?.stepId !== stepId)
      throw brokenInvariant(`masks come for step ${stepId}, and ${step?.stepId ?? 'no step'} waits for any`);
    checkMaskWords(step, masks, limits);
    this.#step = undefined;
    return { ...step, masks, masksFollow: false };
  }

  /** @throws {AloftError} INTERNAL on a slot that is yet to be sampled as it was when the step was submitted */
  attach(slot: number): void {
    const step = this.#step;
    if (step?.rowSlots.subarray(0, step.rowCount).includes(slot) === true)
      throw brokenInvariant(`slot ${slot} is attached before the masks of step ${step.stepId}`);
  }
}

/** @param counts blocks that there are of each of a pair */
function checkPairs(what: string, pairs: Int32Array, counts: readonly [first: number, second: number]): void {
  for (let i = 0; i < pairs.length; i++)
    if (pairs[i]! >>> 0 >= counts[i % 2]!)
      throw brokenInvariant(`block ${pairs[i]} of ${counts[i % 2]} is ${what}`);
}

/**
 * Stops on a slot that is attached already, or whose state would be read or written out of bounds.
 * @throws {AloftError} INTERNAL
 */
export function checkSlot(state: SlotState, limits: ExecutorLimits, slots: CheckedSlots): void {
  const { slot, sampling, endIds, promptTokenIds, outputTokenIds } = state;
  invariant(slot >= 0 && slot < limits.maxRows, () => `slot ${slot} of ${limits.maxRows} is attached`);
  invariant(slots.get(slot) === undefined, () => `slot ${slot} is attached twice`);
  const tokenCount = promptTokenIds.length + outputTokenIds.length;
  invariant(
    tokenCount <= limits.maxSequenceTokens,
    () => `slot ${slot} is attached with ${tokenCount} tokens`,
  );
  const { logitBias, badWords, logprobs = 0, promptLogprobs = 0 } = sampling;
  const topCount = Math.max(logprobs, promptLogprobs);
  invariant(
    topCount <= (limits.maxTopLogprobs ?? Infinity),
    () => `slot ${slot} reports ${topCount} most likely tokens of ${limits.maxTopLogprobs}`,
  );
  const listNumbers = listNumberCount(sampling, endIds);
  invariant(
    listNumbers <= (limits.maxListNumbers ?? Infinity),
    () => `slot ${slot} has ${listNumbers} numbers in lists and room for ${limits.maxListNumbers}`,
  );
  for (const ids of [promptTokenIds, outputTokenIds, endIds, logitBias.keys(), ...badWords])
    for (const id of ids)
      if (!(id >= 0 && id < limits.vocabulary))
        throw brokenInvariant(
          `slot ${slot} is attached with token id ${id} of a vocabulary of ${limits.vocabulary}`,
        );
}
