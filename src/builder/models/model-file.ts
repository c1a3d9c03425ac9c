import type { Plan, WeightName } from '../../plan/plan.js';
import type { JsonFile } from '../checkpoint/json-file.js';
import type { ModelConfig } from '../checkpoint/model-config.js';

/**
 * Division of a weight over tensor-parallel ranks.
 * - `replicated`: every rank has all of it
 * - `rows`: each of its parts is cut into equal ranges of rows (output features)
 * - `attentionRows`: parts q, k, v are cut by heads; key/value heads are repeated when there are fewer than ranks
 * - `columns`: cut by columns (input features); the linear's result is summed over the ranks
 * - `vocabularyRows`: cut by rows after padding the vocabulary to a multiple of the ranks; results are gathered
 * - `firstRank`: a bias that is added after the sum over ranks, so only rank 0 has it
 */
export type ShardRule = 'replicated' | 'rows' | 'attentionRows' | 'columns' | 'vocabularyRows' | 'firstRank';

/** A model on one rank, with what the shard pass needs to put it on several. */
export interface ModelDefinition {
  readonly plan: Plan;
  readonly shardRules: Readonly<Record<WeightName, ShardRule>>;
}

/** One architecture. It says what the model computes; quantisation and tensor parallelism are passes over its plan. */
export interface ModelFile {
  /** Name in engine files: `llama` in `llama_float16_tp1_rank0.engine`. */
  readonly name: string;
  /** Values of `architectures` in config.json that it serves. */
  readonly architectures: readonly string[];
  /** Value of `model_type` by which a config.json without `architectures` is recognised. */
  readonly modelType: string;
  /** @throws {AloftError} CHECKPOINT_CONFIG, UNSUPPORTED */
  readConfig(file: JsonFile): ModelConfig;
  /** @throws {AloftError} UNSUPPORTED when the config asks for something that the model file lacks */
  define(config: ModelConfig, dtype: Plan['activationDtype']): ModelDefinition;
}
