import type { OpeningOptions } from '../../../core/engine-options.js';
import type { IsaLevel } from '../../../device/cpu/isa.js';
import type { EngineRankRequest } from './open-rank.js';
import type { CallListener } from './timed-call.js';

/** Engine to open, with its options. Everything but the directory may be left out. */
export interface OpenExecutorOptions extends EngineRankRequest, OpeningOptions {
  /** Use no instructions of a CPU above this level. Default: the machine's highest. */
  readonly isa?: IsaLevel;
  /** Launch decode steps on a GPU as captured graphs. Default true; a profile turns it off, on all ranks. */
  readonly useGraphs?: boolean;
  /** Receives every call of a step. A function stays on its thread: not for engines on a thread of their own. */
  readonly profile?: CallListener;
}
