import { expect, test } from 'vitest';
import { validatePlan } from '../../plan/validate.js';
import { JsonFile } from '../checkpoint/json-file.js';
import { parseModelConfig } from '../checkpoint/model-config.js';
import { faultOf } from '../testing/fault.js';
import { TINY_CONFIG } from '../testing/tiny-checkpoint.js';
import { llama } from './llama.js';
import { modelFileFor } from './registry.js';

const define = (fields: Record<string, unknown> = {}) =>
  llama.define(parseModelConfig(new JsonFile('config.json', { ...TINY_CONFIG, ...fields })), 'f16');

test('the ops of a layer come in the order of the model', () => {
  const { plan } = define({ num_hidden_layers: 1 });
  validatePlan(plan);
  expect(plan.ops.map(({ kind }) => kind)).toEqual([
    'embedding',
    'rmsNorm',
    'linear',
    'ropeAppend',
    'pagedAttention',
    'linear',
    'add',
    'rmsNorm',
    'linear',
    'swiglu',
    'linear',
    'add',
    'gather',
    'rmsNorm',
    'linear',
  ]);
  expect(plan.ops.at(-1)).toMatchObject({ out: plan.logits, outDtype: 'f32' });
});

test('weights have TensorRT-LLM’s names and take their rows from the checkpoint', () => {
  const { plan, shardRules } = define({ num_hidden_layers: 1 });
  const shapes = Object.entries(plan.weights).map(([name, { shape }]) => [name, ...shape]);
  expect(shapes).toEqual([
    ['vocab_embedding.weight', 37, 16],
    ['layers.0.input_layernorm.weight', 16],
    ['layers.0.attention.qkv.weight', 32, 16],
    ['layers.0.attention.dense.weight', 16, 16],
    ['layers.0.post_layernorm.weight', 16],
    ['layers.0.mlp.fc_gate.weight', 48, 16],
    ['layers.0.mlp.proj.weight', 16, 24],
    ['ln_f.weight', 16],
    ['lm_head.weight', 37, 16],
  ]);
  expect(Object.keys(shardRules)).toEqual(Object.keys(plan.weights));
  expect(plan.weights['layers.0.attention.qkv.weight']?.source.parts).toEqual([
    { tensor: 'model.layers.0.self_attn.q_proj.weight', shape: [16, 16], slice: null },
    { tensor: 'model.layers.0.self_attn.k_proj.weight', shape: [8, 16], slice: null },
    { tensor: 'model.layers.0.self_attn.v_proj.weight', shape: [8, 16], slice: null },
  ]);
});

test('a head dimension of its own widens attention only', () => {
  const { plan } = define({ head_dim: 8 });
  validatePlan(plan);
  expect(plan.weights['layers.0.attention.qkv.weight']?.shape).toEqual([(4 + 2 * 2) * 8, 16]);
  expect(plan.weights['layers.0.attention.dense.weight']?.shape).toEqual([16, 32]);
});

test('tied embeddings give the head the embedding’s tensor', () => {
  const { plan } = define({ tie_word_embeddings: true });
  expect(plan.weights['lm_head.weight']?.source.parts[0]?.tensor).toBe('model.embed_tokens.weight');
});

test('biases appear where the config asks for them', () => {
  const { plan } = define({ num_hidden_layers: 1, attention_bias: true, mlp_bias: true });
  validatePlan(plan);
  const biases = Object.keys(plan.weights).filter((name) => name.endsWith('.bias'));
  expect(biases).toEqual([
    'layers.0.attention.qkv.bias',
    'layers.0.attention.dense.bias',
    'layers.0.mlp.fc_gate.bias',
    'layers.0.mlp.proj.bias',
  ]);
  expect(plan.weights['layers.0.attention.qkv.bias']?.source.parts[1]).toMatchObject({
    tensor: 'model.layers.0.self_attn.k_proj.bias',
    shape: [8],
  });
});

test('refuses other activations and unknown architectures', () => {
  expect(faultOf(() => define({ hidden_act: 'gelu' }))).toMatchObject({ code: 'UNSUPPORTED' });
  const unknown = faultOf(() => modelFileFor('BloomForCausalLM', 'm/config.json'));
  expect(unknown.code).toBe('ARCHITECTURE_UNKNOWN');
  expect(unknown.message).toMatch(/m\/config\.json: .*'BloomForCausalLM'.* Known are LlamaForCausalLM/);
});
