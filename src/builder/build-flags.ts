/**
 * Every flag of TensorRT-LLM 0.5's examples/llama/build.py, and Aloft's own. The command line is made from this table;
 * it adds what all commands share, such as `log_level`, and what chooses the device.
 */

import { KV_CACHE_NAMES } from '../core/dtype.js';
import { POOLINGS } from '../core/embedding.js';
import { INT4_GROUPS, QUANTISED_FORMATS } from '../plan/weight-format.js';
import { METHOD_NAMES } from './quantised/quantisation-config.js';

type FlagKind =
  | { readonly type: 'switch' }
  | { readonly type: 'text' }
  | { readonly type: 'whole'; readonly min: number; readonly max: number }
  | { readonly type: 'real'; readonly min: number }
  | { readonly type: 'choice'; readonly choices: readonly string[] }
  /** May stand alone, which means `bare`. */
  | { readonly type: 'optionalChoice'; readonly choices: readonly string[]; readonly bare: string }
  /** A type and a factor, two words. */
  | { readonly type: 'scaling' };

/**
 * - `yes`: does what it says
 * - `always`: Aloft always does this; giving it is answered with `note`
 * - `recorded`: kept in config.json for its readers, changes nothing; answered with `note`
 * - `no`: refused; `note` says what to do instead
 */
export type FlagSupport = 'yes' | 'always' | 'recorded' | 'no';

export interface BuildFlag {
  /** With underscores and without dashes: `use_weight_only`. */
  readonly name: string;
  readonly kind: FlagKind;
  readonly support: FlagSupport;
  readonly meaning: string;
  /** Default as shown in help; undefined when there is none. */
  readonly fallback?: string | number;
  readonly note?: string;
}

const SWITCH: FlagKind = { type: 'switch' };
const TEXT: FlagKind = { type: 'text' };
const COUNT: FlagKind = { type: 'whole', min: 1, max: 2 ** 31 - 1 };
export const PRECISIONS = ['float32', 'bfloat16', 'float16'] as const;
const PLUGIN: FlagKind = { type: 'optionalChoice', choices: PRECISIONS, bare: 'float16' };
const WEIGHT_ONLY_PRECISIONS = ['int8', 'int4', 'int4_awq', 'int4_gptq'] as const;
const QUANTISATIONS = ['none', ...QUANTISED_FORMATS.keys(), ...METHOD_NAMES];

type Row = readonly [
  name: string,
  kind: FlagKind,
  meaning: string,
  rest?: Partial<Pick<BuildFlag, 'fallback' | 'note'>>,
];

const rows = (support: FlagSupport, table: readonly Row[]): BuildFlag[] =>
  table.map(([name, kind, meaning, rest]) => ({ name, kind, support, meaning, ...rest }));

const SUPPORTED = rows('yes', [
  [
    'model_dir',
    TEXT,
    'Hugging Face directory, GGUF file or ORG/NAME on the hub; without one the engine gets random weights',
  ],
  ['output_dir', TEXT, 'engine directory to make', { fallback: 'llama_outputs' }],
  [
    'dtype',
    { type: 'choice', choices: PRECISIONS },
    'type of weights and activations',
    { fallback: 'float16' },
  ],
  ['use_weight_only', SWITCH, 'store the matrices of the layers quantised'],
  [
    'weight_only_precision',
    { type: 'optionalChoice', choices: WEIGHT_ONLY_PRECISIONS, bare: 'int8' },
    'how, with --use_weight_only; int4_awq and int4_gptq take the codes of a checkpoint that is quantised so',
    { fallback: 'int8' },
  ],
  [
    'group_size',
    { type: 'choice', choices: INT4_GROUPS.map(String) },
    'inputs that share a scale, with int4',
    { fallback: 128 },
  ],
  ['quant_ckpt_path', TEXT, 'directory of an AWQ or GPTQ checkpoint; the same as --model_dir'],
  ['int8_kv_cache', SWITCH, 'the same as --kv_cache_dtype int8'],
  ['fp8_kv_cache', SWITCH, 'the same as --kv_cache_dtype fp8'],
  ['max_batch_size', COUNT, 'most sequences at a time', { fallback: 8 }],
  ['max_input_len', COUNT, 'longest prompt in tokens', { fallback: 2048 }],
  [
    'max_output_len',
    COUNT,
    'longest continuation in tokens; not given, a continuation may use all that its prompt leaves of the sequence',
    { fallback: 512 },
  ],
  ['max_beam_width', COUNT, 'most beams of a request', { fallback: 1 }],
  ['max_num_tokens', COUNT, 'most tokens of one step'],
  ['tokens_per_block', COUNT, 'tokens of one block of the KV cache', { fallback: 16 }],
  ['world_size', COUNT, 'number of ranks, one engine file each', { fallback: 1 }],
  ['tp_size', COUNT, 'tensor-parallel ways', { fallback: 1 }],
  ['pp_size', COUNT, 'pipeline-parallel ways: 1 alone', { fallback: 1 }],
  ['timing_cache', TEXT, 'timing cache to start from'],
  ['rotary_base', { type: 'real', min: 1 }, "RoPE theta instead of the model's own"],
  ['rotary_scaling', { type: 'scaling' }, "RoPE scaling instead of the model's own: linear|dynamic FACTOR"],
  ['vocab_size', COUNT, 'without --model_dir: vocabulary', { fallback: 32000 }],
  ['n_layer', COUNT, 'without --model_dir: layers', { fallback: 32 }],
  ['n_positions', COUNT, 'without --model_dir: longest sequence', { fallback: 2048 }],
  ['n_embd', COUNT, 'without --model_dir: hidden size', { fallback: 4096 }],
  ['n_head', COUNT, 'without --model_dir: attention heads', { fallback: 32 }],
  ['n_kv_head', COUNT, 'without --model_dir: key/value heads, default n_head'],
  ['inter_size', COUNT, 'without --model_dir: size of the feed-forward layer, default from n_embd'],
  ['multiple_of', COUNT, 'without --model_dir: rounding of inter_size', { fallback: 256 }],
  [
    'ffn_dim_multiplier',
    { type: 'real', min: 0 },
    'without --model_dir: scale of inter_size',
    { fallback: 1 },
  ],
  ['hidden_act', TEXT, 'without --model_dir: activation function', { fallback: 'silu' }],
  ['rms_norm_eps', { type: 'real', min: 0 }, 'without --model_dir: epsilon of the norms', { fallback: 1e-6 }],
]);

/** Aloft's own. */
const OWN = rows('yes', [
  ['random_weights', TEXT, 'instead of --model_dir: a named shape with random weights, such as llama_7b'],
  ['force', SWITCH, 'replace the engine in the output directory'],
  ['random_seed', { type: 'whole', min: 0, max: 2 ** 32 - 1 }, 'seed of random weights', { fallback: 0 }],
  [
    'kv_cache_dtype',
    { type: 'choice', choices: ['auto', ...KV_CACHE_NAMES] },
    'type of the KV cache; int8 and fp8 (E4M3) scale each key and value by itself; auto is --dtype',
    { fallback: 'auto' },
  ],
  [
    'quantization',
    { type: 'choice', choices: QUANTISATIONS },
    'format of the matrices of the layers, as --use_weight_only or in one word; awq and gptq: of a checkpoint that must be quantised so; none: dense',
    { fallback: 'as the checkpoint has them' },
  ],
  ['quantize_lm_head', SWITCH, 'store lm_head in the format of the layers too'],
  ['quantize_embedding', SWITCH, 'store the embedding in the format of the layers too'],
  [
    'int8_activations',
    SWITCH,
    'with INT8 weights: multiply in 8 bits, each token rounded with a scale of its own; on a GPU in steps of more than 64 tokens',
  ],
  [
    'fp8_activations',
    SWITCH,
    'with FP8 weights, also those of a checkpoint: multiply in FP8, each token rounded with a scale of its own; on a GPU in steps of more than 64 tokens, a CPU rounds nothing',
  ],
  [
    'task',
    { type: 'choice', choices: ['generate', 'embed'] },
    'generate text, or embed: hidden states instead of logits, for embeddings of texts',
    { fallback: 'generate' },
  ],
  [
    'pooling',
    { type: 'choice', choices: ['auto', ...POOLINGS] },
    'with --task embed: tokens that make an embedding; auto is what the checkpoint says, else last',
    { fallback: 'auto' },
  ],
]);

const ALWAYS = rows('always', [
  ['per_group', SWITCH, 'scales per group', { note: 'int4 weights always have scales per group' }],
  ['remove_input_padding', SWITCH, 'packed input', { note: 'Input is always packed' }],
  ['paged_kv_cache', SWITCH, 'paged KV cache', { note: 'The KV cache is always paged' }],
  [
    'use_inflight_batching',
    SWITCH,
    'in-flight batching',
    { note: 'Every engine can run in-flight batching' },
  ],
  [
    'use_gpt_attention_plugin',
    PLUGIN,
    'fused attention',
    { note: 'Attention is always fused, in the precision of --dtype' },
  ],
]);

const RECORDED = rows('recorded', [
  [
    'use_gemm_plugin',
    PLUGIN,
    'library matrix multiplication',
    { note: 'Matrix kernels are chosen by Aloft' },
  ],
  ['use_rmsnorm_plugin', PLUGIN, 'RMSNorm kernel', { note: 'RMSNorm always has its own kernel' }],
  ['enable_context_fmha', SWITCH, 'fused prefill attention', { note: 'Prefill attention is always fused' }],
  [
    'enable_context_fmha_fp32_acc',
    SWITCH,
    'the same, summed in float32',
    { note: 'Prefill attention is always fused and sums in float32' },
  ],
  [
    'use_custom_all_reduce',
    SWITCH,
    'peer-to-peer all-reduce',
    { note: 'The all-reduce is chosen when the engine runs' },
  ],
  [
    'parallel_build',
    SWITCH,
    'build ranks at once',
    { note: 'All ranks are built in one pass over the checkpoint' },
  ],
  ['gpus_per_node', COUNT, 'ranks of one machine', { note: 'Ranks are placed when the engine runs' }],
  [
    'builder_opt',
    { type: 'whole', min: 0, max: 5 },
    'TensorRT optimisation level',
    { note: 'There is no TensorRT builder to tune' },
  ],
  ['strongly_typed', SWITCH, 'strongly typed network', { note: 'Plans are always strongly typed' }],
]);

const SAFETENSORS_FIRST = 'convert the checkpoint to the Hugging Face format and name it with --model_dir';
const WEIGHT_ONLY_INSTEAD = 'use --quantization int8 or int4';
const FP8_INSTEAD = 'use --quantization fp8, and --fp8_activations for products in FP8';

const UNSUPPORTED = rows('no', [
  ['meta_ckpt_dir', TEXT, 'Meta checkpoint directory', { note: SAFETENSORS_FIRST }],
  ['ft_model_dir', TEXT, 'FasterTransformer directory', { note: SAFETENSORS_FIRST }],
  ['use_smooth_quant', SWITCH, 'SmoothQuant', { note: WEIGHT_ONLY_INSTEAD }],
  ['per_channel', SWITCH, 'SmoothQuant: scale per channel', { note: WEIGHT_ONLY_INSTEAD }],
  ['per_token', SWITCH, 'SmoothQuant: scale per token', { note: WEIGHT_ONLY_INSTEAD }],
  ['enable_fp8', SWITCH, 'FP8 matrices', { note: FP8_INSTEAD }],
  ['quantized_fp8_model_path', TEXT, 'FP8 scales', { note: 'name an FP8 checkpoint with --model_dir' }],
  [
    'use_parallel_embedding',
    SWITCH,
    'sharded embedding',
    { note: 'leave it out; every rank keeps the embedding' },
  ],
  [
    'embedding_sharding_dim',
    { type: 'whole', min: 0, max: 1 },
    'its axis',
    { note: 'leave it out; every rank keeps the embedding' },
  ],
  [
    'visualize',
    SWITCH,
    'write the network as ONNX',
    { note: 'leave it out; the plan is in the metadata of each engine file' },
  ],
  ['enable_debug_output', SWITCH, 'all tensors as outputs', { note: 'leave it out' }],
]);

export const BUILD_FLAGS: readonly BuildFlag[] = [
  ...SUPPORTED,
  ...OWN,
  ...ALWAYS,
  ...RECORDED,
  ...UNSUPPORTED,
];

/** Flags that say what the KV cache holds. */
export const KV_CACHE_FLAGS = ['kv_cache_dtype', 'int8_kv_cache', 'fp8_kv_cache'] as const;

/** Flags that say the sizes of an engine with random weights. */
export const SHAPE_FLAGS = [
  'vocab_size',
  'n_layer',
  'n_positions',
  'n_embd',
  'n_head',
  'n_kv_head',
  'inter_size',
  'multiple_of',
  'ffn_dim_multiplier',
  'hidden_act',
  'rms_norm_eps',
] as const;
