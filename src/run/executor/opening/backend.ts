import type { OpeningOptions } from '../../../core/engine-options.js';
import type { EngineRank } from '../../../engine/rank-file-reader.js';
import type { LinearOp } from '../../../plan/plan.js';
import type { WeightElement } from '../../../plan/weight-format.js';
import type { Executor, ExecutorLimits } from '../executor.js';
import type { KvDemand } from './memory-plan.js';
import type { OpenExecutorOptions } from './open-options.js';
import type { PreparedRank } from './prepared-rank.js';
import type { EngineShape } from './sizing.js';

/** Device that an engine would run on, for sizes that are computed without it. */
export interface SizingPlace {
  /** Memory that weights, workspace and KV cache have together. */
  readonly availableBytes: number;
  /** Architecture of the engine's kernels, such as `sm_90a`; null where kernels come with Aloft. */
  readonly architecture: string | null;
}

/** Sizes of an executor before it is opened. */
export interface ExecutorSizing {
  readonly limits: Omit<ExecutorLimits, 'vocabulary' | 'blockCount'>;
  readonly workspaceBytes: number;
  /** Demand that decides the number of KV blocks. */
  readonly demand: KvDemand;
}

/** Measured limits of a device. */
export interface DeviceRates {
  /** Reading memory that no cache holds, GB/s. */
  readonly readGBps: number;
  /** Multiply-adds (two operations each) of weights of an element type, GFLOP/s; `inputBits` as in {@link LinearOp}. */
  readonly peakGflops: (element: WeightElement, inputBits?: LinearOp['inputBits']) => number;
}

/** Executor of one kind of device: sizes, opens and measures engines for it. */
export interface ExecutorBackend {
  /** Bytes of a number between two ops. */
  readonly activationBytes: number;
  /** Pure. @throws {AloftError} CONFIG_INVALID */
  size(shape: EngineShape, given: OpeningOptions, place: SizingPlace): ExecutorSizing;
  /** @throws {AloftError} of the engine reader, OUT_OF_MEMORY, CONFIG_INVALID, DEVICE_UNAVAILABLE */
  open(options: OpenExecutorOptions): Promise<Executor>;
  /** Prepares one of several ranks. @throws {AloftError} as {@link open} */
  prepare(options: OpenExecutorOptions): PreparedRank;
  /** @param engine holds the kernels of a device that compiles them */
  measureRates(engine: EngineRank, given: OpenExecutorOptions): DeviceRates;
}
