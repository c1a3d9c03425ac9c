/** The models that a request can be addressed to. */
import type { ModelConfig } from '../../protocol/gen/model_config_pb.js';
import type { RunningEngine } from '../generation/running-engine.js';
import type { TokenCodec } from '../engine/engine-loader.js';
import type { ModelInterface } from '../tensors/interface.js';

interface ServedBase {
  readonly name: string;
  readonly version: string;
  readonly config: ModelConfig;
  readonly interface: ModelInterface;
}

/** Priorities of a model: 1 is the most urgent. `levelCount` 0: all requests are equal, as in Triton. */
export interface PriorityLevels {
  readonly levelCount: number;
  /** Priority of requests that name none, or one that does not exist. */
  readonly defaultLevel: number;
}

/** Names of models; undefined where an ensemble has no such step. */
interface Stages {
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Limits of waiting for the requests of one priority. */
export interface QueuePolicy {
  readonly timeoutMs: number | undefined;
  /** True if a request's own timeout has precedence. */
  readonly allowsTimeoutOverride: boolean;
  /** Waiting requests of this priority; undefined: only the limit of all holds. */
  readonly maxWaitingCount: number | undefined;
}

export interface QueuePolicies {
  readonly ofAll: QueuePolicy;
  /** Instead of it, by level. */
  readonly byLevel: ReadonlyMap<number, QueuePolicy>;
}

/** Generates: from text (ensemble, bls) or from token ids (engine). */
export interface GenerationModel extends ServedBase {
  readonly kind: 'ensemble' | 'bls' | 'engine';
  readonly engine: RunningEngine;
  /** Steps of an ensemble before and after the engine. */
  readonly stages: Stages;
  readonly isDecoupled: boolean;
  /** Default of the request's exclude_input_in_output. */
  readonly excludeInput: boolean;
  readonly priorities: PriorityLevels;
  readonly queuePolicies: QueuePolicies;
}

/** Text -> ids or ids -> text, without an engine. */
export interface CodecModel extends ServedBase {
  readonly kind: 'preprocessing' | 'postprocessing';
  readonly codec: TokenCodec;
  readonly addSpecialTokens: boolean;
  readonly skipSpecialTokens: boolean;
}

export type ServedModel = GenerationModel | CodecModel;
