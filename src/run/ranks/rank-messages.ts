/** Messages between rank 0 and the processes of the other ranks while they open. Steps go through shared memory. */
import type { ErrorReport } from '../../core/errors.js';
import type { MemoryBudget } from '../executor/executor.js';

export type ToRank =
  | {
      readonly type: 'prepare';
      readonly rank: number;
      readonly worldSize: number;
      /** Process of rank 0. */
      readonly leaderPid: number;
      /** Path of the shared memory for the process of this rank. */
      readonly memoryPath: string;
      /** Compiled module that prepares ranks (see RankModule). */
      readonly rankUrl: string;
      readonly rankOptions: unknown;
      /** Whether the rank measures its ops. */
      readonly isProfiled: boolean;
      readonly patienceMs: number | undefined;
    }
  | { readonly type: 'open'; readonly blockCount: number };

export type Prepare = Extract<ToRank, { type: 'prepare' }>;

export type FromRank =
  | { readonly type: 'prepared'; readonly blockCount: number; readonly identity?: string }
  | { readonly type: 'opened'; readonly memory: MemoryBudget }
  | { readonly type: 'failed'; readonly error: ErrorReport };

/** First message of a rank of a job. */
export interface Greeting {
  readonly rank: number;
  readonly worldSize: number;
  /** Process whose end is the end of the rank, on the host of rank 0. */
  readonly pid: number;
  readonly version: string;
  /** Process of the rank where that is on another host. */
  readonly remote?: { readonly pid: number; readonly host: string };
}

/** Connection of a rank with rank 0. */
export interface LeaderLink {
  /** Resolves when the message is on its way, since the loop of steps lets nothing else run. */
  send(message: FromRank): Promise<void>;
  next(): Promise<ToRank>;
}
