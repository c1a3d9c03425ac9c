/** From the flags of `aloft build` to what the build does, with TensorRT-LLM 0.5's rules of derivation. Pure. */
import { KV_CACHE_NAMES, type PrecisionName } from '../core/dtype.js';
import { POOLINGS } from '../core/embedding.js';
import { AloftError } from '../core/errors.js';
import { BUILD_FLAGS, type BuildFlag, KV_CACHE_FLAGS, PRECISIONS, SHAPE_FLAGS } from './build-flags.js';
import type { BuildOptions, EngineLimits, PluginSettings, RopeScalingOverride } from './build-options.js';
import { FlagReader, type GivenFlags } from './flag-reader.js';
import { quantisationChoice } from './quantisation-choice.js';
import { type LlamaShape, namedShape } from './random-weights/shapes.js';

/** Source of the weights. */
export type BuildSource =
  | { readonly type: 'checkpoint'; readonly directory: string }
  | { readonly type: 'random'; readonly shape: LlamaShape; readonly seed: number };

export interface ResolvedBuild {
  readonly source: BuildSource;
  readonly options: BuildOptions;
  /** Lines for people: what was given and changes nothing, or was derived. */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

/** @throws {AloftError} USAGE for contradictions and bad values, UNSUPPORTED for flags that Aloft refuses */
export function resolveBuildOptions(given: GivenFlags): ResolvedBuild {
  checkContradictions(given);
  for (const flag of BUILD_FLAGS) if (flag.support === 'no' && given.has(flag.name)) refuse(flag);
  const flags = new FlagReader(given, BUILD_FLAGS);
  flags.checkAll();
  const source = resolveSource(flags);
  const options: BuildOptions = {
    outputDirectory: flags.text('output_dir'),
    replace: flags.given('force'),
    precision: precisionOf(flags),
    kvCache: kvCacheOf(flags),
    quantisation: quantisationChoice(flags),
    worldSize: worldSize(flags),
    limits: limitsOf(flags),
    plugins: pluginsOf(flags),
    embedding: embeddingOf(flags),
    ropeTheta: flags.given('rotary_base') ? flags.number('rotary_base') : null,
    ropeScaling: ropeScaling(flags),
    timingCachePath: flags.given('timing_cache') ? flags.text('timing_cache') : null,
  };
  return { source, options, notes: notesOn(given), warnings: warningsOn(given) };
}

function usage(message: string): never {
  throw new AloftError('USAGE', message);
}

function refuse({ name, meaning, note }: BuildFlag): never {
  throw new AloftError('UNSUPPORTED', `--${name} (${meaning}) is not supported: ${note}.`);
}

function checkContradictions(given: GivenFlags): void {
  const both = (a: string, b: string) => given.has(a) && given.has(b);
  if (both('use_smooth_quant', 'use_weight_only'))
    usage('You cannot enable both SmoothQuant and INT8 weight-only together. Drop --use_smooth_quant.');
  if (both('enable_context_fmha', 'enable_context_fmha_fp32_acc'))
    usage('--enable_context_fmha and --enable_context_fmha_fp32_acc exclude each other. Drop one.');
  const cacheTypes = KV_CACHE_FLAGS.filter((flag) => given.has(flag)).map((flag) => `--${flag}`);
  if (cacheTypes.length > 1) usage(`${cacheTypes.join(' and ')} exclude each other. Keep one.`);
  if (both('model_dir', 'random_weights'))
    usage('--model_dir and --random_weights exclude each other. Drop one.');
  if (both('quant_ckpt_path', 'random_weights'))
    usage('--quant_ckpt_path and --random_weights exclude each other. Drop one.');
}

function resolveSource(flags: FlagReader): BuildSource {
  if (flags.given('quant_ckpt_path')) return { type: 'checkpoint', directory: flags.text('quant_ckpt_path') };
  if (flags.given('model_dir')) return { type: 'checkpoint', directory: flags.text('model_dir') };
  const seed = flags.number('random_seed');
  if (flags.given('random_weights'))
    return { type: 'random', shape: namedShape(flags.text('random_weights')), seed };
  if (!['random_seed', ...SHAPE_FLAGS].some((name) => flags.given(name)))
    usage(
      'Name the checkpoint with --model_dir, or a shape with --random_weights llama_7b, or the sizes of an engine with random weights, such as --n_layer 32.',
    );
  return { type: 'random', shape: shapeOf(flags), seed };
}

function shapeOf(flags: FlagReader): LlamaShape {
  if (flags.text('hidden_act') !== 'silu')
    throw new AloftError('UNSUPPORTED', "--hidden_act must be 'silu' for LLaMA models.");
  const hidden = flags.number('n_embd');
  const heads = flags.number('n_head');
  return {
    hidden_size: hidden,
    intermediate_size: flags.given('inter_size') ? flags.number('inter_size') : derivedIntermediate(flags),
    num_hidden_layers: flags.number('n_layer'),
    num_attention_heads: heads,
    num_key_value_heads: flags.given('n_kv_head') ? flags.number('n_kv_head') : heads,
    max_position_embeddings: flags.number('n_positions'),
    vocab_size: flags.number('vocab_size'),
    rms_norm_eps: flags.number('rms_norm_eps'),
    rope_theta: flags.given('rotary_base') ? flags.number('rotary_base') : 10000,
  };
}

/** Meta's rule: two thirds of four times the hidden size, scaled, rounded up to a multiple. */
function derivedIntermediate(flags: FlagReader): number {
  const multiple = flags.number('multiple_of');
  const unrounded = Math.trunc(
    Math.trunc((4 * flags.number('n_embd') * 2) / 3) * flags.number('ffn_dim_multiplier'),
  );
  return multiple * Math.ceil(unrounded / multiple);
}

function precisionOf(flags: FlagReader): PrecisionName {
  const name = flags.text('dtype');
  return PRECISIONS.find((precision) => precision === name)!;
}

function kvCacheOf(flags: FlagReader): BuildOptions['kvCache'] {
  if (flags.given('int8_kv_cache')) return 'int8';
  if (flags.given('fp8_kv_cache')) return 'fp8';
  const chosen = flags.text('kv_cache_dtype');
  return KV_CACHE_NAMES.find((name) => name === chosen) ?? 'auto';
}

function embeddingOf(flags: FlagReader): BuildOptions['embedding'] {
  const pooling = POOLINGS.find((one) => one === flags.text('pooling')) ?? 'auto';
  if (flags.text('task') === 'embed') {
    if (flags.given('quantize_lm_head'))
      usage('A model of embeddings has no lm_head. Drop --quantize_lm_head.');
    return { pooling };
  }
  if (pooling !== 'auto') usage(`--pooling ${pooling} is for embeddings. Add --task embed.`);
  return null;
}

/** TensorRT-LLM wants world_size = tp_size x pp_size to be spelled out; here one of them is enough. */
function worldSize(flags: FlagReader): number {
  if (flags.number('pp_size') > 1)
    throw new AloftError(
      'UNSUPPORTED',
      '--pp_size above 1 is not supported: use --tp_size for several devices.',
    );
  const [world, ways] = [flags.number('world_size'), flags.number('tp_size')];
  if (flags.given('world_size') && flags.given('tp_size') && world !== ways)
    usage(
      `--world_size ${world} must equal --tp_size ${ways} times --pp_size 1. Give the same number to both.`,
    );
  return Math.max(world, ways);
}

function limitsOf(flags: FlagReader): EngineLimits {
  return {
    maxBatchSize: flags.number('max_batch_size'),
    maxInputTokens: flags.number('max_input_len'),
    maxOutputTokens: flags.text('task') === 'embed' ? 1 : flags.number('max_output_len'),
    isOutputLimited: flags.given('max_output_len'),
    maxBeamWidth: flags.number('max_beam_width'),
    maxStepTokens: flags.given('max_num_tokens') ? flags.number('max_num_tokens') : null,
    blockTokens: flags.number('tokens_per_block'),
  };
}

function pluginsOf(flags: FlagReader): PluginSettings {
  const fmhaType = flags.given('enable_context_fmha') ? 1 : 0;
  return {
    gemm: flags.given('use_gemm_plugin') ? flags.text('use_gemm_plugin') : false,
    rmsNorm: flags.given('use_rmsnorm_plugin') ? flags.text('use_rmsnorm_plugin') : false,
    contextFmhaType: flags.given('enable_context_fmha_fp32_acc') ? 2 : fmhaType,
    customAllReduce: flags.given('use_custom_all_reduce'),
    parallelBuild: flags.given('parallel_build') && worldSize(flags) > 1,
  };
}

function ropeScaling(flags: FlagReader): RopeScalingOverride | null {
  if (!flags.given('rotary_scaling')) return null;
  const [type, factorText] = flags.words('rotary_scaling');
  const factor = Number(factorText);
  if ((type !== 'linear' && type !== 'dynamic') || !(factor > 1))
    usage(
      `--rotary_scaling ${type} ${factorText} must be linear or dynamic and a factor above 1, such as 'linear 2'.`,
    );
  return { type, factor };
}

function notesOn(given: GivenFlags): string[] {
  return BUILD_FLAGS.filter(
    ({ support, name }) => given.has(name) && (support === 'always' || support === 'recorded'),
  ).map(({ name, note }) => `--${name}: ${note}.`);
}

function warningsOn(given: GivenFlags): string[] {
  const warnings: string[] = [];
  const ignored = SHAPE_FLAGS.filter((name) => given.has(name));
  if (given.has('model_dir') && ignored.length > 0)
    warnings.push(
      `${ignored.map((name) => `--${name}`).join(', ')}: ignored, config.json of the checkpoint decides.`,
    );
  if (given.has('weight_only_precision') && !given.has('use_weight_only'))
    warnings.push('--weight_only_precision: ignored without --use_weight_only.');
  if (given.has('model_dir') && given.has('quant_ckpt_path'))
    warnings.push('--model_dir: ignored, --quant_ckpt_path has all that is needed.');
  return warnings;
}
