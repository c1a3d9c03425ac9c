import { describe, expect, test } from 'vitest';
import { causeOfMissing, causeOfUnused, listedNames, unusedNames } from './tensor-names.js';

test('names of many layers are listed once', () => {
  const names = [0, 1, 10].map((layer) => `model.layers.${layer}.mlp.up_proj.weight`);
  expect(listedNames([...names, 'model.layers.3.input_layernorm.weight', 'lm_head.weight'])).toBe(
    'model.layers.*.mlp.up_proj.weight (3 times), model.layers.3.input_layernorm.weight, lm_head.weight',
  );
});

test('tensors without weights are not missed', () => {
  const present = ['model.norm.weight', 'model.layers.0.self_attn.rotary_emb.inv_freq', 'visual.weight'];
  expect(unusedNames(present, new Set(['model.norm.weight']))).toEqual(['visual.weight']);
  expect(causeOfUnused(['visual.weight'])).toMatch(/another architecture/);
  expect(causeOfUnused(['model.layers.0.self_attn.q_proj.bias'])).toMatch(/has biases/);
});

describe('the likely cause', () => {
  test.each([
    ['base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight', /LoRA adapter/],
    ['_orig_mod.model.norm.weight', /compiled model/],
    ['module.model.norm.weight', /parallel wrapper/],
    ['base_model.model.model.norm.weight', /PEFT/],
    ['layers.0.input_layernorm.weight', /base model without its head/],
    ['model.layers.0.mlp.up_proj.qweight', /quantised already/],
    ['model.language_model.norm.weight', /images and text/],
    ['model.embed_tokens.weight', /another model/],
  ])('of %s', (present, cause) => {
    expect(causeOfMissing([present], ['model.norm.weight', 'lm_head.weight'])).toMatch(cause);
  });

  test('of a head that is missing alone', () => {
    expect(causeOfMissing(['model.norm.weight'], ['lm_head.weight'])).toMatch(/'tie_word_embeddings'/);
  });
});
