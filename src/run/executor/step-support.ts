/** What every executor on the host does with a step besides arithmetic: checks, token feedback, the shape of results. */
import { invariant } from '../../core/errors.js';
import type { SamplingParams } from '../../core/sampling.js';
import type { StepInput, StepOutput } from '../../core/step.js';
import { uniformPromptTokens } from '../../ops/rope/rotation.js';
import { topCountOf } from '../../ops/sample/contract.js';
import type { Plan } from '../../plan/plan.js';
import type { ExecutorLimits } from './executor.js';

/** The limits of an executor that runs `plan`. */
export function limitsOfPlan(
  plan: Plan,
  limits: Omit<ExecutorLimits, 'vocabulary' | 'uniformPromptTokens'>,
): ExecutorLimits {
  const uniform = uniformPromptTokens(plan);
  return {
    ...limits,
    vocabulary: plan.dims.vocabulary,
    ...(uniform === undefined ? {} : { uniformPromptTokens: uniform }),
  };
}

/** What a step needs to know of a slot. */
export interface SlotView {
  readonly sampling: SamplingParams;
  /** The token sampled last; undefined before the first. */
  readonly lastTokenId: number | undefined;
}

export type Slots = ReadonlyMap<number, SlotView>;

/** Stops on a step that would read or write out of bounds. @throws {AloftError} INTERNAL */
export function checkStep(step: StepInput, limits: ExecutorLimits, slots: Slots): void {
  const { tokenCount, rowCount, logitCount } = step;
  invariant(
    tokenCount <= limits.maxStepTokens && rowCount <= limits.maxRows && logitCount <= limits.maxLogits,
    () =>
      `step ${step.stepId} of ${tokenCount} tokens, ${rowCount} rows, ${logitCount} logits exceeds the limits`,
  );
  invariant(
    step.rowOffsets[rowCount] === tokenCount,
    () => `step ${step.stepId}: rows do not end at its tokens`,
  );
  for (let row = 0; row < rowCount; row++) checkRow(step, row, limits, slots);
  for (let i = 0; i < logitCount; i++) {
    const [token, row, target] = [step.logitTokens[i]!, step.logitRows[i]!, step.logitTargets[i]!];
    const isInside =
      row >= 0 && row < rowCount && token >= step.rowOffsets[row]! && token < step.rowOffsets[row + 1]!;
    invariant(
      isInside && target < limits.vocabulary,
      () => `logit ${i}: token ${token}, row ${row}, target ${target}`,
    );
  }
  checkPairs(step.blockCopies, limits.blockCount, limits.blockCount);
  checkPairs(step.blocksToHost, limits.blockCount, limits.hostBlockCount);
  checkPairs(step.blocksFromHost, limits.blockCount, limits.hostBlockCount);
}

function checkRow(step: StepInput, row: number, limits: ExecutorLimits, slots: Slots): void {
  const [first, end] = [step.rowOffsets[row]!, step.rowOffsets[row + 1]!];
  const contextTokens = step.contextLengths[row]!;
  invariant(
    slots.has(step.rowSlots[row]!),
    () => `row ${row} names slot ${step.rowSlots[row]}, which is not attached`,
  );
  invariant(first < end, () => `row ${row} has no tokens`);
  invariant(
    contextTokens <= limits.maxSequenceTokens && step.positions[end - 1] === contextTokens - 1,
    () => `row ${row} ends at position ${step.positions[end - 1]} with ${contextTokens} tokens in the cache`,
  );
  for (let token = first; token < end; token++) {
    const id = step.tokenIds[token]!;
    invariant(
      id >= -1 && id < limits.vocabulary,
      () => `token id ${id} of a vocabulary of ${limits.vocabulary}`,
    );
    invariant(
      step.positions[token] === contextTokens - (end - token) && step.positions[token]! >= 0,
      () => `row ${row} has position ${step.positions[token]} at token ${token - first}`,
    );
  }
  for (let i = 0; i * limits.blockTokens < contextTokens; i++) {
    const block = i < step.maxBlocksPerSequence ? step.blockTables[row * step.maxBlocksPerSequence + i]! : -1;
    invariant(block >= 0 && block < limits.blockCount, () => `row ${row} has block ${block} at index ${i}`);
  }
}

function checkPairs(pairs: Int32Array, firstLimit: number, secondLimit: number): void {
  for (let i = 0; i < pairs.length; i++) {
    const limit = i % 2 === 0 ? firstLimit : secondLimit;
    invariant(pairs[i]! >= 0 && pairs[i]! < limit, () => `block ${pairs[i]} of ${limit} is moved`);
  }
}

/** Writes the step's token ids to `into`, -1 replaced by what the slot sampled last. @throws {AloftError} INTERNAL before the first sample */
export function resolveTokenIds(step: StepInput, slots: Slots, into: Int32Array): void {
  into.set(step.tokenIds.subarray(0, step.tokenCount));
  for (let row = 0; row < step.rowCount; row++) {
    for (let token = step.rowOffsets[row]!; token < step.rowOffsets[row + 1]!; token++) {
      if (into[token] !== -1) continue;
      const last = slots.get(step.rowSlots[row]!)!.lastTokenId;
      invariant(last !== undefined, () => `slot ${step.rowSlots[row]} has sampled no token to feed back`);
      into[token] = last;
    }
  }
}

/** How one row of logits is to be sampled or scored. */
export interface LogitRequest {
  readonly slot: number;
  /** Position that a sampled token will have in its sequence. */
  readonly position: number;
  /** Token to score, or -1 to sample one. */
  readonly target: number;
  /** Most likely tokens to report; -1 reports no log probabilities. */
  readonly topCount: number;
}

export function logitRequest(step: StepInput, index: number, slots: Slots): LogitRequest {
  const slot = step.rowSlots[step.logitRows[index]!]!;
  const target = step.logitTargets[index]!;
  return {
    slot,
    position: step.positions[step.logitTokens[index]!]! + 1,
    target,
    topCount: topCountOf(slots.get(slot)!.sampling, target >= 0),
  };
}

/** A result of the right shape, all log probabilities NaN and all top tokens -1. */
export function emptyOutput(step: StepInput, topCount: number): StepOutput {
  const { stepId, logitCount } = step;
  return {
    stepId,
    logitCount,
    tokenIds: new Int32Array(logitCount),
    logprobs: new Float32Array(logitCount).fill(NaN),
    topCount,
    topTokenIds: new Int32Array(logitCount * topCount).fill(-1),
    topLogprobs: new Float32Array(logitCount * topCount).fill(NaN),
    logits: undefined,
    deviceMs: 0,
    idleMs: 0,
  };
}
