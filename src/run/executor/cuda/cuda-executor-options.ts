import type { CollectivesWay } from '../../../core/engine-options.js';
import type { Gpu } from '../../../device/cuda/gpu.js';
import type { LinearChooser } from '../../../ops/linear/cuda/choose.js';
import type { Plan } from '../../../plan/plan.js';
import type { ExecutorLimits } from '../executor.js';
import type { CallListener } from '../opening/timed-call.js';

/** The vocabulary follows from the plan; blockCount from the memory that is left. */
export type CudaExecutorLimits = Omit<ExecutorLimits, 'vocabulary'>;

/** Memory that the KV cache gets. */
export interface CudaKvOptions {
  readonly weightBytes: number;
  /** Share of what is free after load that blocks may take. */
  readonly kvCacheFreeMemFraction: number;
  readonly maxKvTokens: number | undefined;
  /** Cap on weights, workspace and cache together; undefined is all of the device's memory. */
  readonly maxDeviceBytes: number | undefined;
}

export interface CudaExecutorOptions {
  readonly plan: Plan;
  /** The executor takes it over and disposes it. */
  readonly gpu: Gpu;
  /** Machine code by unit. */
  readonly units: ReadonlyMap<string, Uint8Array>;
  /** Choice of the kernels of linear layers; the units hold those that it chooses. Default: the built-in choice for this GPU. */
  readonly chooseLinear?: (libraryVersion: number) => LinearChooser;
  /** Device address of a packed tensor of the engine. */
  readonly tensorAddress: (name: string) => number;
  readonly limits: CudaExecutorLimits;
  /** Longest prompt; default: as long as a sequence. */
  readonly maxPromptTokens?: number;
  readonly kv: CudaKvOptions;
  readonly cudaLibraryPath: string | undefined;
  /** Way between ranks. Default `auto`. */
  readonly collectives?: CollectivesWay | undefined;
  readonly oneShotRows?: number | undefined;
  /** Whether ranks may share a GPU. Default false. */
  readonly shareGpu?: boolean | undefined;
  /** Launches decode steps as captured graphs. Default true; off for debugging and sanitizers. */
  readonly useGraphs?: boolean;
  /** Hears of every launch of a step, which then runs without a graph, and alone: collect it before the next one. */
  readonly profile?: CallListener;
}
