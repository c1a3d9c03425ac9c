/** Events of GET /aloft/live: the state of all batchers at one moment. */
import type { WaitReason } from '../core/batcher-stats.js';

export interface LiveRequest {
  /** Beginning of the id: enough to distinguish requests. */
  readonly id: string;
  readonly state: 'waiting' | 'running';
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly maxOutputTokens: number | null;
  readonly ageMs: number;
  readonly timeToFirstTokenMs: number | null;
}

/** A rank of an engine, and the memory that it takes for each purpose. */
export interface LiveRank {
  readonly rank: number;
  /** `gpu 0`, or `cpu`. */
  readonly device: string;
  readonly memory: readonly { readonly purpose: string; readonly bytes: number }[];
}

export interface LiveEngine {
  readonly model: string;
  readonly slotCount: number;
  readonly runningCount: number;
  readonly waitingCount: number;
  readonly waitReason: WaitReason | null;
  readonly decodeRowCount: number;
  readonly prefillRowCount: number;
  readonly totalBlockCount: number;
  readonly freeBlockCount: number;
  readonly cachedBlockCount: number;
  readonly blockTokens: number;
  readonly generatedTokens: number;
  readonly stepId: number;
  readonly deviceMs: number;
  readonly hostMs: number;
  readonly preemptionCount: number;
  readonly ranks: readonly LiveRank[];
  readonly requests: readonly LiveRequest[];
}

export interface LiveSnapshot {
  readonly timeMs: number;
  /** Why the server is not ready, if so. */
  readonly notReady: string | null;
  readonly engines: readonly LiveEngine[];
}
