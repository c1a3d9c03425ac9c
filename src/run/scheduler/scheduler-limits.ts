/**
 * How running batches are formed, by TensorRT-LLM's names:
 * `V1` starts a batch when the one before has ended; `inflight_batching` lets requests enter and leave at every step,
 * prompts and single tokens in separate steps; `inflight_fused_batching` also mixes both in one step.
 */
export const BATCHING_TYPES = ['V1', 'inflight_batching', 'inflight_fused_batching'] as const;
export type BatchingType = (typeof BATCHING_TYPES)[number];

/**
 * When a request may start: `guaranteed_no_evict` when the blocks for its longest possible output are certain,
 * `max_utilization` when those for its next tokens are free; the latter preempts when blocks run out.
 */
export const SCHEDULER_POLICIES = ['guaranteed_no_evict', 'max_utilization'] as const;
export type SchedulerPolicy = (typeof SCHEDULER_POLICIES)[number];

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
