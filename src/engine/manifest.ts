/** config.json of an engine directory: TensorRT-LLM 0.5's two objects, and a third for what Aloft needs besides. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { DEVICE_NAMES } from '../core/device.js';
import { POOLINGS } from '../core/embedding.js';
import { AloftError } from '../core/errors.js';
import { readingFile } from '../core/file-fault.js';
import { withoutMark } from '../core/file-json.js';
import { ENGINE_FORMAT_VERSION, MANIFEST_FILE } from './format.js';

const Plugin = Type.Union([Type.Literal(false), Type.String()]);
const Count = Type.Integer({ minimum: 0 });
const Optional = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()]);

/** Sizes are those of the whole model, not of one rank. */
const BuilderConfig = Type.Object({
  fp8: Type.Boolean(),
  hidden_act: Type.String(),
  hidden_size: Count,
  int8: Type.Boolean(),
  max_batch_size: Count,
  max_input_len: Count,
  max_num_tokens: Optional(Count),
  max_output_len: Count,
  max_position_embeddings: Count,
  name: Type.String(),
  num_heads: Count,
  num_kv_heads: Count,
  num_layers: Count,
  parallel_build: Type.Boolean(),
  pipeline_parallel: Count,
  precision: Type.Union([Type.Literal('float32'), Type.Literal('float16'), Type.Literal('bfloat16')]),
  /** Bits: 1 INT4 weights, 2 INT8 weights, 4 activations, 8 per channel, 16 per token, 32 per group, 64 INT8 KV, 128 FP8 KV, 256 FP8. */
  quant_mode: Count,
  tensor_parallel: Count,
  use_refit: Type.Boolean(),
  vocab_size: Count,
});

const PluginConfig = Type.Object({
  attention_qk_half_accumulation: Type.Boolean(),
  bert_attention_plugin: Plugin,
  /** 0 off, 1 fp16 accumulation, 2 fp32 accumulation. */
  context_fmha_type: Count,
  gemm_plugin: Plugin,
  gpt_attention_plugin: Plugin,
  identity_plugin: Plugin,
  layernorm_plugin: Plugin,
  layernorm_quantization_plugin: Plugin,
  lookup_plugin: Plugin,
  nccl_plugin: Plugin,
  paged_kv_cache: Type.Boolean(),
  quantize_per_token_plugin: Plugin,
  quantize_tensor_plugin: Plugin,
  remove_input_padding: Type.Boolean(),
  rmsnorm_plugin: Plugin,
  rmsnorm_quantization_plugin: Plugin,
  smooth_quant_gemm_plugin: Plugin,
  tokens_per_block: Count,
  use_custom_all_reduce: Type.Boolean(),
  weight_only_groupwise_quant_matmul_plugin: Plugin,
  weight_only_quant_matmul_plugin: Plugin,
});

const RankFile = Type.Object({
  /** A name in the engine's directory. */
  file: Type.String({ pattern: '^[^/\\\\]*[^/\\\\.][^/\\\\]*$', maxLength: 255 }),
  bytes: Count,
  /** CRC-32 of the file's header, which holds the checksums of the data. */
  header_crc32: Type.String(),
});

/** Defaults of the checkpoint's generation_config.json; null where it says nothing. */
const GenerationDefaults = Type.Object({
  do_sample: Optional(Type.Boolean()),
  temperature: Optional(Type.Number()),
  top_k: Optional(Count),
  top_p: Optional(Type.Number()),
  repetition_penalty: Optional(Type.Number()),
});

const AloftSection = Type.Object({
  format_version: Count,
  created_by: Type.String(),
  architecture: Type.String(),
  device: Type.Enum([...DEVICE_NAMES]),
  /** GPU architecture such as `sm_90`; null for a CPU. */
  device_architecture: Optional(Type.String()),
  layout_version: Count,
  head_dim: Count,
  inter_size: Count,
  rms_norm_eps: Type.Number(),
  rotary_base: Type.Number(),
  /** The scaling object of the plan, `{"type": "none"}` without one. */
  rotary_scaling: Type.Object({ type: Type.String() }, { additionalProperties: true }),
  tied_embeddings: Type.Boolean(),
  max_beam_width: Count,
  /** False if an output may use all that the prompt leaves of a sequence; engines of earlier builds are limited by max_output_len. */
  output_is_limited: Type.Optional(Type.Boolean()),
  /** Parts that are stored quantised (any of `layers`, `lm_head`, `embedding`), and their format, such as `int8 per channel`. */
  quantised_parts: Type.Array(Type.String()),
  quantised_format: Optional(Type.String()),
  /** Absent: the engine generates text. */
  embedding: Type.Optional(
    Type.Object({
      pooling: Type.Enum([...POOLINGS]),
      is_normalised: Type.Boolean(),
    }),
  ),
  /** Element type of the KV cache. */
  kv_cache_dtype: Type.Union([
    Type.Literal('float16'),
    Type.Literal('bfloat16'),
    Type.Literal('float32'),
    Type.Literal('int8'),
    Type.Literal('fp8'),
  ]),
  bos_id: Optional(Count),
  pad_id: Optional(Count),
  end_ids: Type.Array(Count),
  generation: GenerationDefaults,
  /** Tokenizer and template files that were copied into the directory. */
  tokenizer_files: Type.Array(Type.String()),
  ranks: Type.Array(RankFile),
});

const EngineManifestSchema = Type.Object({
  aloft: AloftSection,
  builder_config: BuilderConfig,
  plugin_config: PluginConfig,
});

export type EngineManifest = Static<typeof EngineManifestSchema>;

/** JSON with keys sorted at every level and two spaces of indent, as TensorRT-LLM writes its config.json. */
export function sortedJson(value: unknown): string {
  return `${JSON.stringify(value, sortKeys, 2)}\n`;
}

function sortKeys(_key: string, item: unknown): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
  return Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function writeManifest(directory: string, manifest: EngineManifest): void {
  writeFileSync(join(directory, MANIFEST_FILE), sortedJson(manifest));
}

/** True when the directory holds an engine of any version, Aloft's or TensorRT-LLM's. */
export function looksLikeEngine(directory: string): boolean {
  const path = join(directory, MANIFEST_FILE);
  if (!existsSync(path)) return false;
  try {
    const config: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof config === 'object' && config !== null && 'builder_config' in config;
  } catch {
    return false;
  }
}

/** @throws {AloftError} ENGINE_NOT_FOUND, ENGINE_CORRUPT, ENGINE_VERSION, FILE_UNREADABLE */
export function readManifest(directory: string): EngineManifest {
  const path = join(directory, MANIFEST_FILE);
  if (statSync(directory, { throwIfNoEntry: false })?.isFile())
    throw new AloftError(
      'ENGINE_NOT_FOUND',
      `${directory} is a file, but an engine is a directory. Of a GGUF file make one with 'aloft build --model_dir ${directory} --output_dir ./engine'.`,
    );
  if (!existsSync(path))
    throw new AloftError(
      'ENGINE_NOT_FOUND',
      `No engine in ${directory}: ${MANIFEST_FILE} is missing. Make one with 'aloft build --model_dir DIR --output_dir ${directory}'.`,
    );
  const config = parseManifest(path);
  checkOrigin(config, path);
  if (!Value.Check(EngineManifestSchema, config)) {
    const fault = Value.Errors(EngineManifestSchema, config)[0];
    const where = fault === undefined ? '' : ` at '${fault.instancePath}' ${fault.message}`;
    throw new AloftError('ENGINE_CORRUPT', `${path} is damaged:${where}. Build the engine again.`);
  }
  return config;
}

function parseManifest(path: string): Record<string, unknown> {
  const text = readingFile(path, () => readFileSync(path, 'utf8'));
  let config: unknown;
  try {
    config = JSON.parse(withoutMark(text));
  } catch (cause) {
    throw new AloftError('ENGINE_CORRUPT', `${path} is not valid JSON. Build the engine again.`, { cause });
  }
  if (typeof config !== 'object' || config === null)
    throw new AloftError('ENGINE_CORRUPT', `${path} is not a JSON object. Build the engine again.`);
  return config as Record<string, unknown>;
}

/** Says what kind of directory this is when it is not one of this version of Aloft. */
function checkOrigin(config: Record<string, unknown>, path: string): void {
  const section = config['aloft'] as { format_version?: unknown } | undefined;
  if (section !== undefined) {
    if (section.format_version === ENGINE_FORMAT_VERSION) return;
    throw new AloftError(
      'ENGINE_VERSION',
      `${path} has format version ${String(section.format_version)}, this Aloft reads version ${ENGINE_FORMAT_VERSION}. Build the engine again with 'aloft build'.`,
    );
  }
  if ('builder_config' in config || 'pretrained_config' in config)
    throw new AloftError(
      'ENGINE_VERSION',
      `${path} belongs to a TensorRT-LLM engine, which only TensorRT can run. Build one from the checkpoint with 'aloft build'.`,
    );
  if ('architectures' in config || 'model_type' in config)
    throw new AloftError(
      'ENGINE_NOT_FOUND',
      `${path} belongs to a Hugging Face checkpoint, not to an engine. Build one with 'aloft build --model_dir ${dirname(path)} --output_dir ./engine'.`,
    );
  throw new AloftError('ENGINE_NOT_FOUND', `${path} is not the configuration of an engine.`);
}
