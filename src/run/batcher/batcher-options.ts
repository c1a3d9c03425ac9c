import type { SchedulingOptions } from '../../core/engine-options.js';
import { AloftError } from '../../core/errors.js';
import type { TokenLimits } from '../../core/token-batcher.js';
import type { ExecutorLimits } from '../executor/executor.js';
import type { SchedulerLimits } from '../scheduler/scheduler-limits.js';

/** Settings of a batcher. Undefined limits are the executor's own. */
export interface BatcherOptions extends Required<Omit<SchedulingOptions, 'maxQueuedRequests'>> {
  /** Sequences that run at the same time (`max_num_sequences`). */
  readonly maxSequenceCount: number | undefined;
  /** Tokens of one step (`max_num_tokens`): prompts beyond it are computed in chunks. */
  readonly maxStepTokens: number | undefined;
  /** Requests that may wait; one more is answered QUEUE_FULL. Undefined: any number. */
  readonly maxQueuedRequests: number | undefined;
  readonly maxInputTokens: number | undefined;
  readonly maxOutputTokens: number | undefined;
  readonly maxTopLogprobs: number;
  /** Preempted sequences go to the executor's host tier, if it has one, instead of being computed again. */
  readonly swap: boolean;
  /** Head start in the ranking that each step of priority gives a request, ms. */
  readonly priorityHeadStartMs: number;
  /** A step that takes longer than this is taken for dead and fails everything, ms. */
  readonly stepTimeoutMs: number;
}

export const DEFAULT_BATCHER_OPTIONS: BatcherOptions = {
  batchingType: 'inflight_fused_batching',
  policy: 'guaranteed_no_evict',
  maxSequenceCount: undefined,
  maxStepTokens: undefined,
  maxQueuedRequests: undefined,
  maxInputTokens: undefined,
  maxOutputTokens: undefined,
  maxBeamWidth: 16,
  maxTopLogprobs: 20,
  prefixReuse: true,
  swap: true,
  overlap: true,
  priorityHeadStartMs: 10_000,
  stepTimeoutMs: 120_000,
};

/** @throws {AloftError} CONFIG_INVALID when an option exceeds what the executor was opened with */
export function schedulerLimits(options: BatcherOptions, executor: ExecutorLimits): SchedulerLimits {
  const maxSequenceCount = within('max_num_sequences', options.maxSequenceCount, executor.maxRows);
  const maxStepTokens = within('max_num_tokens', options.maxStepTokens, executor.maxStepTokens);
  for (const [name, limit] of [
    ['max_num_tokens', maxStepTokens],
    ['the logits of a step', executor.maxLogits],
  ] as const) {
    if (limit >= maxSequenceCount) continue;
    throw new AloftError(
      'CONFIG_INVALID',
      `A step of ${maxSequenceCount} sequences needs as many tokens and logits, but ${name} is limited to ${limit}; lower max_num_sequences to ${limit}.`,
    );
  }
  return {
    batchingType: options.batchingType,
    policy: options.policy,
    maxSequenceCount,
    maxStepTokens,
    maxStepLogits: executor.maxLogits,
    swap: options.swap && executor.hostBlockCount > 0,
    priorityHeadStartMs: options.priorityHeadStartMs,
  };
}

/** Facts about the batcher for the text layer. */
export function tokenLimits(options: BatcherOptions, executor: ExecutorLimits): TokenLimits {
  const maxSequenceCount = options.maxSequenceCount ?? executor.maxRows;
  const cacheTokens = executor.blockCount * executor.blockTokens + 1;
  const maxSequenceTokens = Math.min(executor.maxSequenceTokens, cacheTokens);
  return {
    vocabulary: executor.vocabulary,
    maxInputTokens: Math.min(options.maxInputTokens ?? Infinity, maxSequenceTokens - 1),
    maxOutputTokens: Math.min(options.maxOutputTokens ?? Infinity, maxSequenceTokens - 1),
    maxSequenceTokens,
    ...(cacheTokens < executor.maxSequenceTokens ? { isCacheBound: true } : {}),
    maxSequenceCount,
    maxBeamWidth: Math.min(options.maxBeamWidth, maxSequenceCount),
    maxTopLogprobs: Math.min(options.maxTopLogprobs, executor.maxTopLogprobs ?? executor.vocabulary),
    ...(executor.maxTopLogprobs === undefined ? {} : { maxBeamCandidates: executor.maxTopLogprobs }),
    ...(executor.maxListNumbers === undefined ? {} : { maxListNumbers: executor.maxListNumbers }),
  };
}

function within(name: string, wanted: number | undefined, limit: number): number {
  if (wanted === undefined) return limit;
  if (Number.isInteger(wanted) && wanted >= 1 && wanted <= limit) return wanted;
  throw new AloftError('CONFIG_INVALID', `${name} is ${wanted}, but this engine takes 1 to ${limit}.`);
}
