/** Messages between rank 0 and the processes of the other ranks while they open. Steps go through shared memory. */
import type { ErrorReport } from '../../core/errors.js';

/** Descriptor of the shared memory in the process of a rank. */
export const MEMORY_DESCRIPTOR = 4;

export type ToRank =
  | {
      readonly type: 'prepare';
      readonly rank: number;
      readonly worldSize: number;
      readonly parentPid: number;
      /** Compiled module that prepares ranks (see RankModule). */
      readonly rankUrl: string;
      readonly rankOptions: unknown;
      readonly patienceMs: number | undefined;
    }
  | { readonly type: 'open'; readonly blockCount: number };

export type FromRank =
  | { readonly type: 'prepared'; readonly blockCount: number }
  | { readonly type: 'opened' }
  | { readonly type: 'failed'; readonly error: ErrorReport };
