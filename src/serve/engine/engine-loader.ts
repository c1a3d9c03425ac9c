/** Interfaces of an engine to the server, which is built and tested against them alone. */
import type { StepStats } from '../../core/batcher-stats.js';
import type { BatchingType, EngineOptions } from '../../core/engine-options.js';
import type { ErrorReport } from '../../core/errors.js';
import type { EventGenerator } from '../../core/generate.js';

/** Settings of one version of one engine model: what its config.pbtxt asks for. */
export interface EngineSettings {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly engineDirectory: string;
  /** Undefined: the tokenizer beside the engine. */
  readonly tokenizerDirectory: string | undefined;
  /** Options that the configuration sets; for others the server's defaults apply, then the engine's own. */
  readonly options: EngineOptions;
}

/** Text <-> token ids, for the preprocessing and postprocessing models. */
export interface TokenCodec {
  encode(text: string, addSpecialTokens: boolean): Promise<readonly number[]>;
  decode(tokenIds: readonly number[], skipSpecialTokens: boolean): string;
  /** The end and padding ids that preprocessing reports. */
  readonly endId: number | undefined;
  readonly padId: number | undefined;
}

/** Bytes by what they are used for: weights, activations, KV blocks, ... Printed at start. */
export interface MemoryUse {
  readonly purpose: string;
  /** Rank of the engine that uses it. */
  readonly rank: number;
  /** `gpu`, `cpu` or `pinned`. */
  readonly kind: 'gpu' | 'cpu' | 'pinned';
  /** Ordinal of the GPU; 0 for memory of the host. */
  readonly deviceId: number;
  readonly bytes: number;
}

export interface ServableEngine {
  readonly generator: EventGenerator;
  readonly codec: TokenCodec;
  readonly batchingType: BatchingType;
  /** Sequences that can run at the same time. */
  readonly maxSequenceCount: number;
  readonly blockTokens: number;
  /** Blocks of the KV cache on the device. */
  readonly kvBlockCount: number;
  /** Why `prompt + output` of this engine is limited as it is, where memory goes, for the startup print. */
  readonly memory: readonly MemoryUse[];
  /** Its steps and the server's own thread leave no processor of this machine free: what a message costs holds up a step. */
  readonly takesAllProcessors: boolean;
  /** Sentences on options that were given and that its kind of device has no use for. */
  readonly remarks: readonly string[];
  /** Called after every step, and when the batcher falls idle. @returns a function that ends the subscription. */
  subscribe(listener: (stats: StepStats) => void): () => void;
  /** Milliseconds since the step loop last turned (it turns when idle, too); Infinity once it has stopped for good. */
  heartbeatAgeMs(): number;
  /** Calls once when the engine has stopped for good, by a fault. */
  onFailure(listener: (failure: ErrorReport) => void): void;
  dispose(): Promise<void>;
}

export interface EngineLoader {
  /** @throws {AloftError} that names what does not fit. */
  load(settings: EngineSettings): Promise<ServableEngine>;
  /** Checks all that can be checked without loading. @throws {AloftError} that names what does not fit */
  check(settings: EngineSettings): Promise<void>;
  loadTokenizer(directory: string): Promise<TokenCodec>;
}
