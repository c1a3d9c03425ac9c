/**
 * Reports of the batcher, for metrics and the playground's live view. There is one report for each step, and one
 * without rows whenever the batcher falls idle: requests that end between steps free their blocks there.
 */
export interface StepStats {
  readonly type: 'step';
  /** Steps since start; a report without rows repeats that of the last step. */
  readonly stepId: number;
  readonly timeMs: number;
  // Counts of this step.
  /** Rows that decode one token, and rows that run a prompt chunk. Both 0: no step, only the state below. */
  readonly decodeRowCount: number;
  readonly prefillRowCount: number;
  /** Tokens that went into the step. */
  readonly tokenCount: number;
  /** Tokens that sequences took out of it: first tokens come from prompt chunks. */
  readonly outputTokenCount: number;
  /** Time of the host for a step, mostly while the device worked on another, ms. */
  readonly hostMs: number;
  readonly deviceMs: number;
  /** Time that the device waited before this step, ms. */
  readonly idleMs: number;
  /** Prompt tokens of the requests that started in this step that were found in the prefix cache. */
  readonly prefixHitTokens: number;
  /** Requests that gave their blocks back. */
  readonly preemptionCount: number;
  // Now.
  readonly waitingCount: number;
  readonly runningCount: number;
  readonly freeBlockCount: number;
  readonly cachedBlockCount: number;
  readonly totalBlockCount: number;
  /** Why the first waiting request waits. */
  readonly waitReason: WaitReason | undefined;
}

export type WaitReason = 'blocks' | 'slots' | 'tokens';
