import type { Collectives } from '../../../device/collectives.js';
import type { CpuPool } from '../../../device/cpu/kernel-library.js';
import type { CpuKvDtype } from '../../../ops/cpu/kv-layout.js';
import type { Plan } from '../../../plan/plan.js';
import type { ExecutorLimits } from '../executor.js';
import type { RankAgreement } from '../opening/prepared-rank.js';
import type { CallListener } from '../opening/timed-call.js';

/** The vocabulary follows from the plan. */
export type CpuExecutorLimits = Omit<ExecutorLimits, 'vocabulary'>;

/** A plan of more than one rank needs collectives. */
export interface CpuExecutorOptions extends Pick<RankAgreement, 'announce'> {
  /** Absent: there is one rank. */
  readonly collectives?: Collectives;
  readonly plan: Plan;
  /** Threads for the kernels. The executor takes it over and disposes it. */
  readonly pool: CpuPool;
  /**
   * Address of a packed tensor of the engine: a weight's name, or the name with a suffix of the CPU's weight layout.
   * The memory must stay mapped until `dispose`. @throws {AloftError} when there is no such tensor
   */
  readonly tensorAddress: (name: string) => number;
  /** For the memory budget only. */
  readonly weightBytes: number;
  /** blockTokens: a multiple of 8 from 8 to 128. */
  readonly limits: CpuExecutorLimits;
  readonly kvDtype: CpuKvDtype;
  /** Number of pages of weights that were lost under their mapping: see `EngineRank`. Absent: weights are not mapped. */
  readonly lostPages?: () => number;
  /** Frees what `tensorAddress` points into; called by `dispose`, when no kernel runs any more. */
  readonly onDispose?: () => void;
  /** Hears of every kernel of a step: for profiles. */
  readonly profile?: CallListener;
}
