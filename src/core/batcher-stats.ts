/** What happened in the batcher, for metrics and the playground's live view. Counts since start unless said otherwise. */
export interface StepStats {
  readonly type: 'step';
  readonly stepId: number;
  readonly timeMs: number;
  /** Rows that decode one token, and rows that run a prompt chunk. */
  readonly decodeRowCount: number;
  readonly prefillRowCount: number;
  readonly tokenCount: number;
  /** Now. */
  readonly waitingCount: number;
  readonly runningCount: number;
  readonly freeBlockCount: number;
  readonly cachedBlockCount: number;
  readonly totalBlockCount: number;
  readonly hostMs: number;
  readonly deviceMs: number;
  readonly prefixHitTokens: number;
  readonly preemptionCount: number;
  /** Why the first waiting request waits, now. */
  readonly waitReason: WaitReason | undefined;
}

export type WaitReason = 'blocks' | 'slots' | 'tokens';
