/** The typed form of a checkpoint's config.json, with the keys of published LLaMA files and those of transformers 5. */
import { AloftError } from '../../core/errors.js';
import type { RopeParams, RopeScaling } from '../../plan/plan.js';
import type { JsonFile } from './json-file.js';

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
}

/** @throws {AloftError} CHECKPOINT_CORRUPT, CHECKPOINT_CONFIG, ARCHITECTURE_UNKNOWN, UNSUPPORTED */
export function parseModelConfig(file: JsonFile): ModelConfig {
  if (file.has('quantization_config'))
    throw new AloftError(
      'UNSUPPORTED',
      `${file.path}: 'quantization_config' says that the weights are already quantised, which is not supported. Use the float16 or bfloat16 checkpoint.`,
    );
  const hidden = file.count('hidden_size');
  const headCount = file.count('num_attention_heads');
  const config: ModelConfig = {
    path: file.path,
    architecture: architectureOf(file),
    hidden,
    intermediate: file.count('intermediate_size'),
    layerCount: file.count('num_hidden_layers'),
    headCount,
    kvHeadCount: file.count('num_key_value_heads', headCount),
    headDim: file.count('head_dim', Math.floor(hidden / headCount)),
    vocabulary: file.count('vocab_size'),
    maxPositions: file.count('max_position_embeddings', 2048),
    rmsNormEpsilon: file.positive('rms_norm_eps', 1e-6),
    rope: ropeOf(file),
    activation: file.text('hidden_act', 'silu'),
    tiedEmbeddings: file.flag('tie_word_embeddings', false),
    attentionBias: file.flag('attention_bias', false),
    mlpBias: file.flag('mlp_bias', false),
  };
  checkHeads(file, config);
  return config;
}

/** First of `architectures`. @throws {AloftError} ARCHITECTURE_UNKNOWN */
export function architectureOf(file: JsonFile): string {
  const architectures: unknown = file.fields['architectures'];
  if (Array.isArray(architectures) && typeof architectures[0] === 'string') return architectures[0];
  if (file.fields['model_type'] === 'llama') return 'LlamaForCausalLM';
  throw new AloftError(
    'ARCHITECTURE_UNKNOWN',
    `${file.path}: 'architectures' is missing, so the kind of model is unknown. Add it, for example ["LlamaForCausalLM"].`,
  );
}

function checkHeads(file: JsonFile, { headCount, kvHeadCount, headDim, hidden }: ModelConfig): void {
  if (headCount % kvHeadCount !== 0)
    file.fail('num_key_value_heads', `a divisor of num_attention_heads (${headCount})`);
  if (!file.has('head_dim') && headCount * headDim !== hidden)
    file.fail('num_attention_heads', `a divisor of hidden_size (${hidden})`);
  if (headDim % 2 !== 0) file.fail('head_dim', 'even, because rotary embedding works on pairs');
}

/**
 * The rotary settings, wherever they were published: `rope_theta` and `rope_scaling` side by side, or both in `rope_parameters`
 * since transformers 5, or a mixture of these. As there, `rope_scaling` goes before `rope_parameters`, and a base in either
 * before the one beside them.
 */
function ropeOf(file: JsonFile): RopeParams {
  const section = nonEmpty(file.section('rope_scaling')) ?? file.section('rope_parameters');
  const theta = section?.has('rope_theta')
    ? section.positive('rope_theta')
    : file.positive('rope_theta', 10000);
  requireWholeRotation(section ?? file);
  requireWholeRotation(file);
  return { theta, scaling: scalingOf(file, section) };
}

const nonEmpty = (section: JsonFile | undefined): JsonFile | undefined =>
  section === undefined || Object.keys(section.fields).length === 0 ? undefined : section;

/** Part of a head that is rotated; models that rotate less than all of it are other architectures. */
function requireWholeRotation(section: JsonFile): void {
  const share = section.optionalNumber('partial_rotary_factor') ?? 1;
  if (share === 1) return;
  throw new AloftError(
    'UNSUPPORTED',
    `${section.path}: 'partial_rotary_factor' is ${share}; only models that rotate whole heads are supported.`,
  );
}

function scalingOf(file: JsonFile, section: JsonFile | undefined): RopeScaling {
  if (section === undefined) return { type: 'none' };
  const type = section.text('rope_type', section.text('type', 'default'));
  const positions = 'original_max_position_embeddings';
  // The length of the training may stand beside the section, too.
  const trained = section.has(positions) ? section : file;
  const originalMaxPositions = trained.count(positions, file.count('max_position_embeddings', 2048));
  switch (type) {
    case 'default':
      return { type: 'none' };
    case 'linear':
      return { type, factor: section.positive('factor') };
    case 'dynamic':
      return { type, factor: section.positive('factor'), originalMaxPositions };
    case 'llama3':
      return {
        type,
        factor: section.positive('factor'),
        lowFrequencyFactor: section.positive('low_freq_factor'),
        highFrequencyFactor: section.positive('high_freq_factor'),
        originalMaxPositions: trained.count(positions),
      };
    default:
      throw new AloftError(
        'UNSUPPORTED',
        `${file.path}: 'rope_scaling' has the type '${type}'; supported are default, linear, dynamic and llama3.`,
      );
  }
}
