import type { IsaLevel } from '../../device/cpu/isa.js';
import type { EngineRankRequest } from './open-rank.js';
import type { CallListener } from './profile/timed-call.js';
import type { SizingOptions } from './sizing.js';

/** How an engine is opened. Everything but the directory may be left out; a device ignores the options that it does not know. */
export interface OpenEngineOptions extends EngineRankRequest, SizingOptions {
  /** Threads of a CPU. Default: the physical cores available to the process. */
  readonly threadCount?: number;
  /** Use no instructions of a CPU above this level. Default: the machine's highest. */
  readonly isa?: IsaLevel;
  /** Map the engine file even if it would fit into huge pages: loads at once and is shared between processes, but decodes slower. */
  readonly mapWeights?: boolean;
  /** Ordinal of the GPU. Default 0. */
  readonly gpu?: number;
  /** Folders of CUDA libraries, separated by colons, before the standard places. */
  readonly cudaLibraryPath?: string;
  /** Run a sequence that nobody asked for, and capture every graph, before the executor is handed out. Default false. */
  readonly warmup?: boolean;
  /** Receives every call of a step. A function stays on its thread: not for engines on a thread of their own. */
  readonly profile?: CallListener;
}
