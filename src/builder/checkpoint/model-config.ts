/** The typed form of a checkpoint's config.json, with the keys of published files and those of transformers 5. */
import { AloftError } from '../../core/errors.js';
import type { RopeParams } from '../../plan/plan.js';
import type { JsonFile } from './json-file.js';
import { type CheckpointQuantisation, quantisationOf } from '../quantised/quantisation-config.js';
import { ropeOf } from './rope-config.js';

export interface ModelConfig {
  /** The file it came from, for messages. */
  readonly path: string;
  /** First of `architectures`, such as `LlamaForCausalLM`. */
  readonly architecture: string;
  readonly hidden: number;
  readonly intermediate: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly kvHeadCount: number;
  readonly headDim: number;
  readonly vocabulary: number;
  readonly maxPositions: number;
  readonly rmsNormEpsilon: number;
  readonly rope: RopeParams;
  readonly activation: string;
  readonly tiedEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  /** Whether the pairs of dimensions that are rotated together are neighbours in the checkpoint. Absent: false. */
  readonly isInterleaved?: boolean;
  /** Attention windows by layer; null: the layer sees all tokens. Absent: all layers do. */
  readonly windows?: readonly (number | null)[];
  /** Rotation of the layers with a window, where it is another one. */
  readonly windowRope?: RopeParams;
  /** Scores are divided by its root. Absent: the size of a head. */
  readonly scoreDim?: number;
  /** A mixture of experts in place of the feed-forward network of every layer; `intermediate` is the width of an expert. */
  readonly experts?: ExpertsConfig;
  readonly attentionSoftCap?: number;
  readonly logitSoftCap?: number;
  /** Absent: the checkpoint holds numbers. */
  readonly quantisation?: CheckpointQuantisation;
}

interface ExpertsConfig {
  readonly count: number;
  readonly perToken: number;
  /** The shares of a token's experts are divided by their sum. */
  readonly isNormalised: boolean;
}

/** Values of fields that a config.json of an architecture may leave out. */
export interface ConfigDefaults {
  readonly tiedEmbeddings?: boolean;
  readonly activation?: string;
  /** Share of a head's dimensions that are rotated. Absent: the architecture rotates whole heads, and refuses a file with another share. */
  readonly partialRotaryFactor?: number;
}

/** The deepest published models have less than a fifth of it. */
const MAX_LAYERS = 1000;

/** Reads the fields that published decoders share. @throws {AloftError} CHECKPOINT_CONFIG, ARCHITECTURE_UNKNOWN, UNSUPPORTED */
export function parseModelConfig(file: JsonFile, defaults: ConfigDefaults = {}): ModelConfig {
  const quantisation = quantisationOf(file);
  const hidden = file.count('hidden_size');
  const headCount = file.count('num_attention_heads');
  const headDim = file.count('head_dim', Math.floor(hidden / headCount));
  const config: ModelConfig = {
    path: file.path,
    architecture: architectureOf(
      file,
      file.fields['model_type'] === 'llama' ? 'LlamaForCausalLM' : undefined,
    ),
    hidden,
    intermediate: file.count('intermediate_size'),
    layerCount: file.count('num_hidden_layers', undefined, MAX_LAYERS),
    headCount,
    kvHeadCount: file.count('num_key_value_heads', headCount),
    headDim,
    vocabulary: file.count('vocab_size'),
    maxPositions: file.count('max_position_embeddings', 2048),
    rmsNormEpsilon: file.positive('rms_norm_eps', 1e-6),
    rope: ropeOf(file, headDim, defaults),
    activation: file.text('hidden_act', defaults.activation ?? 'silu'),
    tiedEmbeddings: file.flag('tie_word_embeddings', defaults.tiedEmbeddings ?? false),
    attentionBias: file.flag('attention_bias', false),
    mlpBias: file.flag('mlp_bias', false),
    ...(quantisation !== undefined && { quantisation }),
  };
  checkHeads(file, config);
  return config;
}

/**
 * The first of `architectures`.
 * @param byType the architecture that `model_type` stands for, if it is known
 * @throws {AloftError} ARCHITECTURE_UNKNOWN
 */
export function architectureOf(file: JsonFile, byType: string | undefined): string {
  const architectures: unknown = file.fields['architectures'];
  if (Array.isArray(architectures) && typeof architectures[0] === 'string') return architectures[0];
  if (byType !== undefined) return byType;
  throw new AloftError(
    'ARCHITECTURE_UNKNOWN',
    `${file.path}: 'architectures' is missing, so the kind of model is unknown. Add it, for example ["LlamaForCausalLM"].`,
  );
}

export function checkHeads(
  file: JsonFile,
  { headCount, kvHeadCount, headDim, hidden, rope }: ModelConfig,
): void {
  if (headCount % kvHeadCount !== 0)
    file.fail('num_key_value_heads', `a divisor of num_attention_heads (${headCount})`);
  if (!file.has('head_dim') && !file.has('kv_channels') && headCount * headDim !== hidden)
    file.fail('num_attention_heads', `a divisor of hidden_size (${hidden})`);
  for (const size of [headDim, rope.rotaryDim ?? headDim])
    if (size % 2 !== 0) file.fail('head_dim', 'even, because rotary embedding works on pairs');
}
