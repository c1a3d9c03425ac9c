/** Opening in two phases: every rank says how many KV blocks it has room for, then all open with the smallest number. */
import type { JobPlace } from '../../../core/job-place.js';
import type { StepInput } from '../../../core/step.js';
import type { RankGroup } from '../../../device/cpu/rank-group.js';
import type { Executor } from '../executor.js';
import type { CallListener } from './timed-call.js';

/** Agreement of the ranks of an engine, and a rank's connection to the others. */
export interface RankAgreement {
  readonly blockCount: number;
  /** Ranks of this host. Absent: there is one rank. */
  readonly group?: RankGroup;
  /**
   * Receives every step that passed the checks, before it runs: rank 0 sends it to the others.
   * @param tokenIds ids of its tokens; where a slot's last token is meant, that token if the host knows it, else -1; valid during the call
   */
  readonly announce?: (step: StepInput, tokenIds: Int32Array) => void;
}

/** A rank whose file is open and whose sizes are known. */
export interface PreparedRank {
  /** KV blocks that this rank has room for. */
  readonly blockCount: number;
  /** Text that is the same for all ranks of one engine. Absent: not compared. */
  readonly identity?: string;
  /** May be called once; takes over what was prepared. @throws {AloftError} OUT_OF_MEMORY, DEVICE_UNAVAILABLE */
  open(agreement: RankAgreement): Executor;
  /** Gives back a rank that is not opened. */
  dispose(): void;
}

/** Place of a rank among others. */
export interface RankNumber {
  readonly rank: number;
  readonly worldSize: number;
  /** Place in the job of a launcher. Absent: rank 0 started all ranks, on its own host. */
  readonly place?: JobPlace;
  /** Receives every call of a step. */
  readonly profile?: CallListener;
}

/** A module that prepares ranks; the processes of ranks load it by URL. */
export interface RankModule {
  /** @param options whatever survives the structured clone algorithm; the module checks it */
  prepareRank(options: unknown, number: RankNumber): Promise<PreparedRank>;
}
