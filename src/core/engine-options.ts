/**
 * Options of an engine. Each has one name from the command line and config.pbtxt down to the device: the member's name
 * here. Meaning, unit, range, default and the names on the wire stand in `engine-option-table.ts`.
 */
import type { JobPlace } from './job-place.js';

/**
 * Ways to form running batches, by TensorRT-LLM's names:
 * `V1` starts a batch when the one before has ended; `inflight_batching` lets requests enter and leave at every step,
 * prompts and single tokens in separate steps; `inflight_fused_batching` also mixes both in one step.
 */
export const BATCHING_TYPES = ['V1', 'inflight_batching', 'inflight_fused_batching'] as const;
export type BatchingType = (typeof BATCHING_TYPES)[number];

/**
 * Conditions on which a request may start: `guaranteed_no_evict` when the blocks for its longest possible output are certain,
 * `max_utilization` when those for its next tokens are free; the latter preempts when blocks run out.
 */
export const SCHEDULER_POLICIES = ['guaranteed_no_evict', 'max_utilization'] as const;
export type SchedulerPolicy = (typeof SCHEDULER_POLICIES)[number];

/** Ways between the GPUs of ranks: `auto` is our own kernels where GPUs reach each other's memory, NCCL elsewhere. */
export type CollectivesWay = 'auto' | 'nccl';

/** Options that an engine is opened with. One that its kind of device has no use for is refused (see the table). */
export interface OpeningOptions {
  /** Job whose processes are the ranks. No flag and no parameter sets it: the launcher does. Default: this process starts the others. */
  readonly place?: JobPlace;
  /** Number of ranks that run the engine together. Default: as many as it was built for. */
  readonly worldSize?: number;
  /** Threads of a CPU for each rank. Default: the physical cores available to the process, shared equally between ranks. */
  readonly threadCount?: number;
  /** Map the engine file even if it would fit into huge pages: loads at once and is shared between processes, but decodes slower. */
  readonly mapWeights?: boolean;
  /** Share of the memory free after load that KV blocks may take. Default: 0.5 on a CPU, which shares its memory with everything else, 0.9 on a GPU. */
  readonly kvCacheFreeMemFraction?: number;
  /** Cap on the tokens that the KV cache holds. Default: none. */
  readonly maxKvTokens?: number;
  /** Bytes of the host tier for evicted blocks and swapped sequences. Default 0: none. */
  readonly hostKvBytes?: number;
  /** Sequences that run at the same time. Default: the engine's `max_batch_size`. */
  readonly maxSequenceCount?: number;
  /** Tokens of one step; longer prompts are computed in chunks. Default: the engine's, else what suits the device. */
  readonly maxStepTokens?: number;
  /** Tokens of a KV block. Default: the engine's. */
  readonly blockTokens?: number;
  /** Ordinal of the GPU; of several ranks, that of rank 0, and the others take those after it. Default 0. */
  readonly gpu?: number;
  /** True if several ranks may share a GPU: slow, for checks on machines with fewer GPUs than ranks. Default false. */
  readonly shareGpu?: boolean;
  /** Way between the GPUs of ranks. Default `auto`. */
  readonly collectives?: CollectivesWay;
  /** Most rows of a sum over the GPUs of ranks that takes one shot instead of two. Default: what is faster, timed when the engine opens. */
  readonly oneShotRows?: number;
  /** Cap on weights, workspace and KV cache together on a GPU. Default: all of its memory. */
  readonly maxDeviceBytes?: number;
  /** Folders of CUDA libraries, separated by colons, before the standard places. */
  readonly cudaLibraryPath?: string;
  /** Run a sequence that nobody asked for, and capture every graph, before the engine takes requests. Default false. */
  readonly warmup?: boolean;
}

/** Options of the scheduler of an engine's requests. */
export interface SchedulingOptions {
  /** Way to form running batches. Default `inflight_fused_batching`. */
  readonly batchingType?: BatchingType;
  /** Condition on which a request may start. Default `guaranteed_no_evict`. */
  readonly policy?: SchedulerPolicy;
  /** Number of requests that may wait; one more is answered QUEUE_FULL. Default: any number. */
  readonly maxQueuedRequests?: number;
  /** Largest number of beams of a request. Default 16. */
  readonly maxBeamWidth?: number;
  /** True if prompt prefixes that are still in the KV cache are not computed again. Default true. */
  readonly prefixReuse?: boolean;
  /** True if step n + 1 is submitted before the tokens of step n are read: same results, the host's work hidden behind the device's. Default: on for GPUs. */
  readonly overlap?: boolean;
}

export interface EngineOptions extends OpeningOptions, SchedulingOptions {}

/** Options that users set. */
export type EngineOptionName = Exclude<keyof EngineOptions, 'place'>;
