import { expect, test } from 'vitest';
import { BUILD_FLAGS } from './build-flags.js';
import { resolveBuildOptions } from './resolve-options.js';
import { faultOf } from './testing/fault.js';
import { INT8_PER_CHANNEL, NAMED_FORMATS } from '../plan/weight-format.js';

type Given = Record<string, string | readonly string[] | true>;
const resolve = (given: Given) => resolveBuildOptions(new Map(Object.entries(given)));
const withModel = (given: Given = {}) => resolve({ model_dir: 'llama', ...given });

test('the defaults are TensorRT-LLM’s, except that blocks are smaller: more of a prefix is shared', () => {
  expect(withModel()).toEqual({
    source: { type: 'checkpoint', directory: 'llama' },
    options: {
      outputDirectory: 'llama_outputs',
      replace: false,
      precision: 'float16',
      kvCache: 'auto',
      quantisation: 'checkpoint',
      worldSize: 1,
      limits: {
        maxBatchSize: 8,
        maxInputTokens: 2048,
        maxOutputTokens: 512,
        isOutputLimited: false,
        maxBeamWidth: 1,
        maxStepTokens: null,
        blockTokens: 16,
      },
      plugins: {
        gemm: false,
        rmsNorm: false,
        contextFmhaType: 0,
        customAllReduce: false,
        parallelBuild: false,
      },
      embedding: null,
      ropeTheta: null,
      ropeScaling: null,
      timingCachePath: null,
    },
    notes: [],
    warnings: [],
  });
});

test('the article’s third build', () => {
  const { options, notes } = withModel({
    dtype: 'float16',
    use_gpt_attention_plugin: 'float16',
    use_gemm_plugin: 'float16',
    output_dir: 'out',
    max_batch_size: '64',
    max_output_len: '2048',
    use_weight_only: true,
    use_inflight_batching: true,
    paged_kv_cache: true,
    remove_input_padding: true,
    world_size: '4',
    tp_size: '4',
  });
  expect(options).toMatchObject({
    worldSize: 4,
    quantisation: { format: INT8_PER_CHANNEL, parts: new Set(['layers']) },
    plugins: { gemm: 'float16' },
  });
  expect(notes).toEqual([
    '--remove_input_padding: Input is always packed.',
    '--paged_kv_cache: The KV cache is always paged.',
    '--use_inflight_batching: Every engine can run in-flight batching.',
    '--use_gpt_attention_plugin: Attention is always fused, in the precision of --dtype.',
    '--use_gemm_plugin: Matrix kernels are chosen by Aloft.',
  ]);
});

test('every flag of the original is known, is accepted with one line or refused by name', () => {
  const sample = {
    switch: true,
    text: 'x',
    whole: '1',
    real: '2',
    scaling: ['linear', '2'],
    choice: '',
    optionalChoice: true,
  } as const;
  for (const { name, kind, support } of BUILD_FLAGS) {
    const value = kind.type === 'choice' ? kind.choices[0]! : sample[kind.type];
    const source: Given = name === 'random_weights' ? {} : { model_dir: 'llama' };
    const given: Given = {
      ...source,
      ...(!['quantization', 'fp8_activations'].includes(name) && { use_weight_only: true }),
      ...(name === 'group_size' && { weight_only_precision: 'int4' }),
      [name]: name === 'random_weights' ? 'llama_7b' : value,
    };
    if (support === 'no') {
      if (name === 'use_smooth_quant') continue;
      const fault = faultOf(() => resolve(given));
      expect(fault.code).toBe('UNSUPPORTED');
      expect(fault.message).toContain(`--${name}`);
    } else {
      const { notes } = resolve(given);
      expect(notes.filter((note) => note.startsWith(`--${name}:`))).toHaveLength(support === 'yes' ? 0 : 1);
    }
  }
});

test('random weights take a named shape, and exclude a checkpoint', () => {
  expect(resolve({ random_weights: 'tinyllama_1b', random_seed: '3' }).source).toMatchObject({
    type: 'random',
    shape: { hidden_size: 2048 },
    seed: 3,
  });
  expect(faultOf(() => withModel({ random_weights: 'llama_7b' })).message).toMatch(/exclude each other/);
  expect(faultOf(() => resolve({ random_weights: 'llama_8b' })).message).toMatch(/Did you mean/);
});

test.each<[Given, string]>([
  [{}, 'auto'],
  [{ kv_cache_dtype: 'float32' }, 'float32'],
  [{ kv_cache_dtype: 'fp8' }, 'fp8'],
  [{ int8_kv_cache: true }, 'int8'],
  [{ fp8_kv_cache: true }, 'fp8'],
])('KV cache of %j is %s', (given, expected) => expect(withModel(given).options.kvCache).toBe(expected));

test('a model of embeddings generates nothing, and only it has a pooling', () => {
  expect(withModel({ task: 'embed' }).options).toMatchObject({
    embedding: { pooling: 'auto' },
    limits: { maxInputTokens: 2048, maxOutputTokens: 1 },
  });
  expect(withModel({ task: 'embed', pooling: 'mean' }).options.embedding).toEqual({ pooling: 'mean' });
  const quantised = { task: 'embed', use_weight_only: true, quantize_lm_head: true } as const;
  expect(faultOf(() => withModel(quantised)).message).toMatch(/has no lm_head/);
  expect(faultOf(() => withModel({ pooling: 'mean' })).message).toMatch(/^--pooling mean is for embeddings/);
});

test('one of world_size and tp_size is enough', () => {
  expect(withModel({ tp_size: '2' }).options.worldSize).toBe(2);
  expect(withModel({ world_size: '2' }).options.worldSize).toBe(2);
  expect(withModel({ world_size: '2', parallel_build: true }).options.plugins.parallelBuild).toBe(true);
  expect(withModel({ parallel_build: true }).options.plugins.parallelBuild).toBe(false);
});

test.each<[Given, string, RegExp]>([
  [{ use_smooth_quant: true, use_weight_only: true }, 'USAGE', /cannot enable both SmoothQuant and INT8/],
  [{ enable_context_fmha: true, enable_context_fmha_fp32_acc: true }, 'USAGE', /exclude each other/],
  [{ int8_kv_cache: true, fp8_kv_cache: true }, 'USAGE', /--int8_kv_cache and --fp8_kv_cache exclude/],
  [{ kv_cache_dtype: 'fp8', int8_kv_cache: true }, 'USAGE', /--kv_cache_dtype and --int8_kv_cache exclude/],
  [{ kv_cache_dtype: 'int4' }, 'USAGE', /--kv_cache_dtype is 'int4', but must be one of auto, float16/],
  [{ quantize_lm_head: true }, 'USAGE', /need --use_weight_only or --quantization with a format/],
  [{ quantize_embedding: true, quantization: 'awq' }, 'USAGE', /need --use_weight_only or --quantization/],
  [{ quantization: 'int4', use_weight_only: true }, 'USAGE', /--quantization and --use_weight_only exclude/],
  [
    { quantization: 'int3' },
    'USAGE',
    /--quantization is 'int3', but must be one of none, int8, fp8, int4, int4_g64/,
  ],
  [{ quantization: 'fp8', int8_activations: true }, 'USAGE', /--int8_activations needs INT8 weights/],
  [{ quantization: 'int4', fp8_activations: true }, 'USAGE', /needs FP8 weights, but these are int4 per 128/],
  [{ quantization: 'int8', group_size: '64' }, 'USAGE', /--group_size 64 needs weights in groups, and int8/],
  [
    { quantization: 'int4', group_size: '96' },
    'USAGE',
    /--group_size is '96', but must be one of 128, 64, 32/,
  ],
  [{ world_size: '4', tp_size: '2' }, 'USAGE', /--world_size 4 must equal --tp_size 2/],
  [{ pp_size: '2' }, 'UNSUPPORTED', /--pp_size above 1/],
  [{ weight_only_precision: 'int2' }, 'USAGE', /--weight_only_precision is 'int2', but must be one of int8/],
  [{ dtype: 'float64' }, 'USAGE', /--dtype is 'float64'/],
  [{ max_batch_size: '0' }, 'USAGE', /--max_batch_size is '0', but must be a whole number from 1/],
  [{ max_batch_size: '2.5' }, 'USAGE', /--max_batch_size/],
  [{ max_batch_size: true }, 'USAGE', /--max_batch_size/],
  [{ builder_opt: '9' }, 'USAGE', /--builder_opt/],
  [{ rotary_scaling: ['linear', '1'] }, 'USAGE', /--rotary_scaling linear 1 must be/],
  [{ rotary_scaling: ['yarn', '2'] }, 'USAGE', /--rotary_scaling yarn 2 must be/],
  [{ rotary_scaling: 'linear' }, 'USAGE', /needs two words/],
  [{ rotary_base: '-1' }, 'USAGE', /--rotary_base/],
  [{ model_dir: true }, 'USAGE', /--model_dir needs a value/],
  [{ max_bach_size: '1' }, 'USAGE', /no flag --max_bach_size\. Did you mean --max_batch_size/],
])('refuses %j', (given, code, message) => {
  const fault = faultOf(() => withModel(given));
  expect(fault.code).toBe(code);
  expect(fault.message).toMatch(message);
  expect(fault.kind.exit).toBe(2);
});

test('without a checkpoint the sizes make a model with random weights', () => {
  expect(faultOf(() => resolve({ output_dir: 'x' })).message).toMatch(/--model_dir/);
  const { source } = resolve({ n_layer: '2', random_seed: '5' });
  expect(source).toMatchObject({
    type: 'random',
    seed: 5,
    shape: { hidden_size: 4096, intermediate_size: 11008, num_hidden_layers: 2, num_key_value_heads: 32 },
  });
  const wide = resolve({
    n_embd: '8192',
    ffn_dim_multiplier: '1.3',
    multiple_of: '4096',
    n_head: '64',
    n_kv_head: '8',
  });
  expect(wide.source).toMatchObject({ shape: { intermediate_size: 28672, num_key_value_heads: 8 } });
  expect(faultOf(() => resolve({ hidden_act: 'gelu' })).code).toBe('UNSUPPORTED');
});

test('a quantised checkpoint has no random weights', () => {
  const fault = faultOf(() => resolve({ quant_ckpt_path: 'a', random_weights: 'llama_7b' }));
  expect(fault.message).toMatch(/--quant_ckpt_path and --random_weights exclude each other/);
});

test.each<[Given, unknown]>([
  [{ use_weight_only: true, weight_only_precision: 'int4' }, NAMED_FORMATS.int4],
  [{ use_weight_only: true, weight_only_precision: 'int4', group_size: '64' }, NAMED_FORMATS.int4_g64],
  [{ quantization: 'int4_zeros', group_size: '32' }, NAMED_FORMATS.int4_g32_zeros],
  [{ quantization: 'int8' }, INT8_PER_CHANNEL],
  [{ quantization: 'fp8' }, NAMED_FORMATS.fp8],
])('chooses a format by %j', (given, format) => {
  expect(withModel(given).options.quantisation).toEqual({ format, parts: new Set(['layers']) });
});

test.each<[Given, string]>([
  [{ quantization: 'none' }, 'none'],
  [{ quantization: 'gptq' }, 'gptq'],
  [{ use_weight_only: true, weight_only_precision: 'int4_awq', group_size: '128' }, 'awq'],
  [{ quant_ckpt_path: 'other' }, 'quantised'],
])('takes what a checkpoint has by %j', (given, choice) => {
  const { options, source, warnings } = withModel(given);
  expect(options.quantisation).toBe(choice);
  const isOther = 'quant_ckpt_path' in given;
  expect(source).toEqual({ type: 'checkpoint', directory: isOther ? 'other' : 'llama' });
  expect(warnings).toHaveLength(isOther ? 1 : 0);
});

test.each<[Given, unknown]>([
  [
    { use_weight_only: true, int8_activations: true },
    { format: INT8_PER_CHANNEL, inputBits: 8 },
  ],
  [
    { quantization: 'fp8', fp8_activations: true },
    { format: NAMED_FORMATS.fp8, inputBits: 8 },
  ],
  [{ fp8_activations: true }, { weights: 'checkpoint', inputBits: 8 }],
])('rounds inputs by %j', (given, choice) => {
  expect(withModel(given).options.quantisation).toMatchObject(choice as object);
});

test('says which flags a checkpoint makes useless', () => {
  const { warnings } = withModel({ n_layer: '2', vocab_size: '5', weight_only_precision: 'int8' });
  expect(warnings[0]).toMatch(/--vocab_size, --n_layer: ignored/);
  expect(warnings[1]).toMatch(/--weight_only_precision: ignored without --use_weight_only/);
});
