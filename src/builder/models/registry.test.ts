import { expect, test } from 'vitest';
import { validatePlan } from '../../plan/validate.js';
import { JsonFile } from '../checkpoint/json-file.js';
import { faultOf } from '../testing/fault.js';
import { TINY_CONFIG } from '../testing/tiny-checkpoint.js';
import { modelFileFor, readConfig } from './registry.js';

const CHATGLM = {
  architectures: ['ChatGLMModel'],
  model_type: 'chatglm',
  add_bias_linear: false,
  add_qkv_bias: true,
  ffn_hidden_size: 24,
  hidden_size: 32,
  kv_channels: 8,
  multi_query_attention: true,
  multi_query_group_num: 2,
  num_attention_heads: 4,
  num_layers: 1,
  padded_vocab_size: 37,
  seq_length: 64,
};

function read(fields: Record<string, unknown>) {
  const config = readConfig(new JsonFile('m/config.json', fields));
  const { plan } = modelFileFor(config.architecture, config.path).define(config, 'f16');
  validatePlan(plan);
  return { config, plan };
}

test('a config without architectures is known by its type', () => {
  const { architectures: _, ...fields } = TINY_CONFIG;
  expect(read({ ...fields, model_type: 'qwen3' }).config.architecture).toBe('Qwen3ForCausalLM');
  const fault = faultOf(() => readConfig(new JsonFile('m/config.json', { ...fields, model_type: 'x' })));
  expect(fault).toMatchObject({ code: 'ARCHITECTURE_UNKNOWN' });
});

test('a model without its head has the architecture of the whole one', () => {
  expect(read({ ...TINY_CONFIG, architectures: ['Qwen3Model'] }).config.architecture).toBe('Qwen3ForCausalLM');
  expect(read(CHATGLM).config.architecture).toBe('ChatGLMModel');
});

test.each([{ is_causal: false }, { use_bidirectional_attention: true }])(
  'tokens that see those behind them (%j) are refused',
  (fields) => {
    const fault = faultOf(() => readConfig(new JsonFile('m/config.json', { ...TINY_CONFIG, ...fields })));
    expect(fault).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining(Object.keys(fields)[0]!) });
  },
);

test('an unknown architecture is answered with the nearest', () => {
  const fault = faultOf(() => modelFileFor('Qwen2VLForConditionalGeneration', 'm/config.json'));
  expect(fault.message).toMatch(/nearest are Qwen2ForCausalLM \(qwen2\), Qwen3ForCausalLM \(qwen3\)/);
  expect(faultOf(() => modelFileFor('BloomForCausalLM', 'm/config.json')).message).not.toMatch(/nearest/);
});

test('windows of Qwen need their switch', () => {
  const fields = { ...TINY_CONFIG, architectures: ['Qwen2ForCausalLM'], sliding_window: 8 };
  expect(read(fields).config.windows).toBeUndefined();
  const windowed = { ...fields, use_sliding_window: true, max_window_layers: 1 };
  expect(read(windowed).config.windows).toEqual([null, 8]);
  const types = ['sliding_attention', 'full_attention'];
  expect(read({ ...windowed, layer_types: types }).config.windows).toEqual([8, null]);
  expect(faultOf(() => read({ ...windowed, layer_types: ['chunked_attention'] }))).toMatchObject({
    code: 'CHECKPOINT_CONFIG',
  });
});

test('Gemma 3 rotates layers with a window by frequencies of their own, in old and new configs', () => {
  const fields = {
    ...TINY_CONFIG,
    architectures: ['Gemma3ForCausalLM'],
    hidden_activation: 'gelu_pytorch_tanh',
    head_dim: 8,
    sliding_window: 16,
    num_hidden_layers: 3,
    sliding_window_pattern: 3,
    query_pre_attn_scalar: 32,
    rope_theta: 1_000_000,
  };
  const { config, plan } = read({ ...fields, rope_scaling: { rope_type: 'linear', factor: 8 } });
  expect(config.windows).toEqual([16, 16, null]);
  const ropes = plan.ops.flatMap((op) => (op.kind === 'ropeAppend' ? [op.rope] : []));
  const scoreScale = Math.sqrt(8 / 32);
  const local = { theta: 10_000, scaling: { type: 'none' }, scoreScale };
  const global = { theta: 1_000_000, scaling: { type: 'linear', factor: 8 }, scoreScale };
  expect(ropes).toEqual([local, local, global]);
  const { rope_theta: _, ...rest } = fields;
  const merged = {
    full_attention: { rope_type: 'linear', factor: 8, rope_theta: 1_000_000 },
    sliding_attention: { rope_type: 'default', rope_theta: 10_000 },
  };
  const later = read({ ...rest, rope_parameters: merged }).plan;
  expect(later.ops).toEqual(plan.ops);
});

test('ChatGLM reads its rows out of fused tensors and reorders the rotated heads', () => {
  const { plan, config } = read(CHATGLM);
  expect(config.rope).toEqual({ theta: 10_000, scaling: { type: 'none' }, rotaryDim: 4 });
  const headRows = { headDim: 8, rotaryDim: 4, isInterleaved: true };
  const tensor = 'transformer.encoder.layers.0.self_attention.query_key_value.bias';
  expect(plan.weights['layers.0.attention.qkv.bias']!.source.parts).toEqual([
    { tensor, shape: [64], slice: { axis: 0, start: 0, end: 32 }, headRows },
    { tensor, shape: [64], slice: { axis: 0, start: 32, end: 48 }, headRows },
    { tensor, shape: [64], slice: { axis: 0, start: 48, end: 64 } },
  ]);
});

test('ChatGLM2 stretches positions by its ratio, later models the base', () => {
  const ratio = { rope_ratio: 50, _name_or_path: 'THUDM/chatglm2-6b-32k' };
  expect(read({ ...CHATGLM, ...ratio }).config.rope.scaling).toEqual({ type: 'linear', factor: 50 });
  expect(read({ ...CHATGLM, rope_ratio: 500 }).config.rope.theta).toBe(5_000_000);
});

test.each([
  [{ inner_hidden_size: 64 }, 'UNSUPPORTED', /first ChatGLM-6B/],
  [{ add_bias_linear: true }, 'UNSUPPORTED', /'add_bias_linear' is true/],
  [{ rmsnorm: false }, 'UNSUPPORTED', /'rmsnorm' is false/],
  [{ ffn_hidden_size: undefined }, 'CHECKPOINT_CONFIG', /'ffn_hidden_size' is missing/],
])('refuses a ChatGLM with %j', (fields, code, message) => {
  const fault = faultOf(() => read({ ...CHATGLM, ...fields }));
  expect(fault).toMatchObject({ code, message: expect.stringMatching(message) as string });
});
