import type { ManifestDraft } from '../engine/engine-writer.js';
import type { BuildOptions, BuildTarget, EmbeddingChoice } from './build-options.js';
import type { Checkpoint } from './checkpoint/checkpoint.js';
import type { GenerationConfig } from './checkpoint/generation-config.js';
import type { ModelConfig } from './checkpoint/model-config.js';
import type { Quantisation } from './passes/quantise.js';
import { DEFAULT_POOLING } from './checkpoint/pooling.js';
import { formatText, type QuantisedElement } from '../plan/weight-format.js';

/** Bits of quant_mode. */
const WEIGHT_BITS: Readonly<Record<QuantisedElement, number>> = { int8: 2, int4: 1, fp8: 256 };
const PER_GROUP_BIT = 32;
const KV_CACHE_BITS = { int8: 64, fp8: 128 } as const;
/** TensorRT-LLM 0.5 always runs weight-only matrices in half precision. */
const WEIGHT_ONLY_PLUGIN = 'float16';

/** The model that is built. */
export interface BuildSubject {
  /** Name in engine files. */
  readonly modelName: string;
  readonly config: ModelConfig;
  readonly quantisation: Quantisation | null;
  readonly generation: GenerationConfig;
  readonly pooling: Checkpoint['pooling'];
}

/** config.json in TensorRT-LLM's layout: sizes are global, plugin values are a dtype or false. */
export function draftManifest(
  subject: BuildSubject,
  target: BuildTarget,
  options: BuildOptions,
): ManifestDraft {
  return {
    builder_config: builderConfig(subject, options),
    plugin_config: pluginConfig(subject, options),
    aloft: aloftSection(subject, target, options),
  };
}

function builderConfig(
  { modelName, config, quantisation }: BuildSubject,
  options: BuildOptions,
): ManifestDraft['builder_config'] {
  const { limits, plugins } = options;
  return {
    fp8: isFp8(quantisation),
    hidden_act: config.activation,
    hidden_size: config.hidden,
    int8: false, // says that activations or an unpaged cache are INT8
    max_batch_size: limits.maxBatchSize,
    max_input_len: limits.maxInputTokens,
    max_num_tokens: limits.maxStepTokens,
    max_output_len: limits.maxOutputTokens,
    max_position_embeddings: config.maxPositions,
    name: modelName,
    num_heads: config.headCount,
    num_kv_heads: config.kvHeadCount,
    num_layers: config.layerCount,
    parallel_build: plugins.parallelBuild,
    pipeline_parallel: 1,
    precision: options.precision,
    quant_mode: quantMode(quantisation, options),
    tensor_parallel: options.worldSize,
    use_refit: false,
    vocab_size: config.vocabulary,
  };
}

/** TensorRT-LLM counts FP8 weights as a way of its own beside those of weights alone. */
const isFp8 = (quantisation: Quantisation | null): boolean => quantisation?.format.element === 'fp8';

function quantMode(quantisation: Quantisation | null, { kvCache }: BuildOptions): number {
  const cacheBit = kvCache === 'int8' || kvCache === 'fp8' ? KV_CACHE_BITS[kvCache] : 0;
  if (quantisation === null) return cacheBit;
  const { element, group } = quantisation.format;
  return WEIGHT_BITS[element] + (group === null ? 0 : PER_GROUP_BIT) + cacheBit;
}

function pluginConfig({ quantisation }: BuildSubject, options: BuildOptions): ManifestDraft['plugin_config'] {
  const hasGroups = quantisation !== null && quantisation.format.group !== null;
  const isWeightOnly = quantisation !== null && !hasGroups && !isFp8(quantisation);
  const { plugins, precision, limits } = options;
  return {
    attention_qk_half_accumulation: false,
    bert_attention_plugin: false,
    context_fmha_type: plugins.contextFmhaType,
    gemm_plugin: plugins.gemm,
    gpt_attention_plugin: precision,
    identity_plugin: false,
    layernorm_plugin: false,
    layernorm_quantization_plugin: false,
    lookup_plugin: false,
    nccl_plugin: options.worldSize > 1 ? precision : false,
    paged_kv_cache: true,
    quantize_per_token_plugin: false,
    quantize_tensor_plugin: false,
    remove_input_padding: true,
    rmsnorm_plugin: plugins.rmsNorm,
    rmsnorm_quantization_plugin: false,
    smooth_quant_gemm_plugin: false,
    tokens_per_block: limits.blockTokens,
    use_custom_all_reduce: plugins.customAllReduce,
    weight_only_groupwise_quant_matmul_plugin: hasGroups ? WEIGHT_ONLY_PLUGIN : false,
    weight_only_quant_matmul_plugin: isWeightOnly ? WEIGHT_ONLY_PLUGIN : false,
  };
}

function aloftSection(
  { config, quantisation, generation, pooling }: BuildSubject,
  { layout, deviceArchitecture, createdBy }: BuildTarget,
  { limits, precision, kvCache, embedding }: BuildOptions,
): ManifestDraft['aloft'] {
  return {
    created_by: createdBy,
    architecture: config.architecture,
    device: layout.device,
    device_architecture: deviceArchitecture,
    layout_version: layout.version,
    head_dim: config.headDim,
    inter_size: config.intermediate,
    rms_norm_eps: config.rmsNormEpsilon,
    rotary_base: config.rope.theta,
    rotary_scaling: config.rope.scaling,
    tied_embeddings: config.tiedEmbeddings,
    max_beam_width: limits.maxBeamWidth,
    output_is_limited: limits.isOutputLimited,
    quantised_parts: Array.from(quantisation?.parts ?? []),
    quantised_format: quantisation === null ? null : formatText(quantisation.format),
    kv_cache_dtype: kvCache === 'auto' ? precision : kvCache,
    ...(embedding === null ? {} : { embedding: embeddingSection(embedding, pooling) }),
    bos_id: generation.bosId,
    pad_id: generation.padId,
    end_ids: [...generation.endIds],
    generation: {
      do_sample: generation.doSample,
      temperature: generation.temperature,
      top_k: generation.topK,
      top_p: generation.topP,
      repetition_penalty: generation.repetitionPenalty,
    },
  };
}

/** A pooling that is chosen needs nothing that the checkpoint says. */
function embeddingSection(
  { pooling: wanted }: EmbeddingChoice,
  published: Checkpoint['pooling'],
): NonNullable<ManifestDraft['aloft']['embedding']> {
  if (wanted !== 'auto') return { pooling: wanted, is_normalised: true };
  const { pooling, isNormalised } = published?.() ?? DEFAULT_POOLING;
  return { pooling, is_normalised: isNormalised };
}
