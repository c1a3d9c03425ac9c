import type { BatchingType, SchedulerPolicy } from '../../core/engine-options.js';

/** Everything that the scheduler must know besides its queues and the KV cache. */
export interface SchedulerLimits {
  readonly batchingType: BatchingType;
  readonly policy: SchedulerPolicy;
  /** Slots: sequences that run at the same time (`max_num_sequences`, `max_batch_size`). */
  readonly maxSequenceCount: number;
  /** Tokens of one step (`max_num_tokens`); at least `maxSequenceCount`, so that every running sequence can go on. */
  readonly maxStepTokens: number;
  /** Logits that one step can return; at least `maxSequenceCount`. */
  readonly maxStepLogits: number;
  /** Preempted sequences go to host memory instead of being computed again. */
  readonly swap: boolean;
  /** A request of priority p ranks like one of priority 0 that came p times this earlier; so none waits for ever. */
  readonly priorityHeadStartMs: number;
}
