import type { KvCacheName, PrecisionName } from '../core/dtype.js';
import type { Pooling } from '../core/embedding.js';
import type { Log } from '../core/log.js';
import type { WeightLayout } from '../device/weight-layout.js';
import type { TimingCache } from '../engine/timing-cache.js';
import type { Plan } from '../plan/plan.js';
import type { QuantisationChoice } from './quantisation-choice.js';

/** Limits that the engine promises; the KV cache and the workspace are sized by them at load. */
export interface EngineLimits {
  readonly maxBatchSize: number;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  /** True if the length of outputs was asked for; otherwise it only adds to that of sequences, which outputs may use up. */
  readonly isOutputLimited: boolean;
  readonly maxBeamWidth: number;
  /** Tokens of one step; null leaves it to the executor. */
  readonly maxStepTokens: number | null;
  /** Tokens of one KV block. */
  readonly blockTokens: number;
}

/** Settings of TensorRT plugins that change nothing in Aloft and are kept in config.json for its readers. */
export interface PluginSettings {
  readonly gemm: string | false;
  readonly rmsNorm: string | false;
  readonly contextFmhaType: 0 | 1 | 2;
  readonly customAllReduce: boolean;
  readonly parallelBuild: boolean;
}

/** TensorRT-LLM's two kinds. */
export interface RopeScalingOverride {
  readonly type: 'linear' | 'dynamic';
  readonly factor: number;
}

export interface EmbeddingChoice {
  /** `auto`: as the checkpoint publishes it. */
  readonly pooling: Pooling | 'auto';
}

/** Options of a build, checked by their maker: see resolveBuildOptions. */
export interface BuildOptions {
  readonly outputDirectory: string;
  /** Replaces the engine in the output directory. */
  readonly replace: boolean;
  readonly precision: PrecisionName;
  /** Element type of the KV cache; `auto` is the precision. */
  readonly kvCache: KvCacheName | 'auto';
  /** Format of the weights. */
  readonly quantisation: QuantisationChoice;
  /** Tensor-parallel ranks. */
  readonly worldSize: number;
  readonly limits: EngineLimits;
  readonly plugins: PluginSettings;
  /** Embeddings instead of text; null generates. */
  readonly embedding: EmbeddingChoice | null;
  /** Overrides of what config.json says; null keeps it. */
  readonly ropeTheta: number | null;
  readonly ropeScaling: RopeScalingOverride | null;
  /** A timing cache to start from; null starts with an empty one. */
  readonly timingCachePath: string | null;
}

export interface KernelRequest {
  /** Plan of any rank: ranks differ in weights only. */
  readonly plan: Plan;
  readonly limits: EngineLimits;
  /** Measurements of earlier builds. */
  readonly timingCache: TimingCache;
  readonly log: Log;
}

/** Kernels of an engine, ready to be loaded. */
export interface KernelPackage {
  /** Machine code by name of its unit. */
  readonly units: ReadonlyMap<string, Uint8Array>;
  /** Facts about the kernels that the loader needs; kept as JSON in the engine. */
  readonly facts: unknown;
  /** The given one with what was measured now. */
  readonly timingCache: TimingCache;
}

/** The device that the engine is for, and who builds it. */
export interface BuildTarget {
  readonly layout: WeightLayout;
  /** Full name, as the timing cache keeps it. */
  readonly deviceName: string;
  /** GPU architecture such as `sm_90`; null for a CPU. */
  readonly deviceArchitecture: string | null;
  /** Compiles the kernels of a plan; absent where kernels come with Aloft. */
  readonly buildKernels?: (request: KernelRequest) => KernelPackage;
  /** Program and version, such as `aloft 0.1.0`. */
  readonly createdBy: string;
}
