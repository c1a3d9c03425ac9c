/** Parts of a step that executors on the host compute in TypeScript: fed back tokens, and the shape of results. */
import type { SamplingParams } from '../../core/sampling.js';
import type { StepInput, StepOutput } from '../../core/step.js';
import { maskWords, topCountOf } from '../../ops/sample/contract.js';
import type { CheckedSlot } from './step-check.js';

/** An attached slot whose last token the host knows. */
export interface HostSlot extends CheckedSlot {
  readonly sampling: SamplingParams;
  /** Token sampled last; undefined before the first. */
  readonly lastTokenId: number | undefined;
}

export type HostSlots = ReadonlyMap<number, HostSlot>;

/** Writes the ids of a checked step's tokens to `into`, -1 replaced by what the slot sampled last. */
export function resolveTokenIds(step: StepInput, slots: HostSlots, into: Int32Array): void {
  into.set(step.tokenIds.subarray(0, step.tokenCount));
  for (let row = 0; row < step.rowCount; row++)
    for (let token = step.rowOffsets[row]!; token < step.rowOffsets[row + 1]!; token++)
      if (into[token] === -1) into[token] = slots.get(step.rowSlots[row]!)!.lastTokenId!;
}

/** Request to sample or score one row of logits. */
export interface LogitRequest {
  readonly slot: number;
  /** Position that a sampled token will have in its sequence. */
  readonly position: number;
  /** Token to score, or -1 to sample one. */
  readonly target: number;
  /** Most likely tokens to report; -1 reports no log probabilities. */
  readonly topCount: number;
}

export function logitRequest(step: StepInput, index: number, slots: HostSlots): LogitRequest {
  const slot = step.rowSlots[step.logitRows[index]!]!;
  const target = step.logitTargets[index]!;
  return {
    slot,
    position: step.positions[step.logitTokens[index]!]! + 1,
    target,
    topCount: topCountOf(slots.get(slot)!.sampling, target >= 0),
  };
}

/** The mask of a logit; undefined where any token may be sampled. */
export function maskOf(
  { masks, logitMasks }: StepInput,
  index: number,
  vocabulary: number,
): Int32Array | undefined {
  const mask = logitMasks[index]!;
  const words = maskWords(vocabulary);
  return mask < 0 ? undefined : masks.subarray(mask * words, (mask + 1) * words);
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
