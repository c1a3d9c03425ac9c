import { expect, test } from 'vitest';
import { faultOf } from '../testing/fault.js';
import { TINY_CONFIG } from '../testing/tiny-checkpoint.js';
import { parseGenerationConfig } from './generation-config.js';
import { JsonFile } from './json-file.js';
import { parseModelConfig } from './model-config.js';

const parse = (fields: Record<string, unknown>) =>
  parseModelConfig(new JsonFile('m/config.json', { ...TINY_CONFIG, ...fields }));

test('reads the published keys and their defaults', () => {
  expect(parse({ tie_word_embeddings: true, head_dim: 8, attention_bias: true })).toEqual({
    path: 'm/config.json',
    architecture: 'LlamaForCausalLM',
    hidden: 16,
    intermediate: 24,
    layerCount: 2,
    headCount: 4,
    kvHeadCount: 2,
    headDim: 8,
    vocabulary: 37,
    maxPositions: 64,
    rmsNormEpsilon: 1e-5,
    rope: { theta: 10000, scaling: { type: 'none' } },
    activation: 'silu',
    tiedEmbeddings: true,
    attentionBias: true,
    mlpBias: false,
  });
  const { num_key_value_heads: _, architectures: __, rope_theta: ___, ...older } = TINY_CONFIG;
  const config = parseModelConfig(new JsonFile('m/config.json', older));
  expect(config).toMatchObject({ kvHeadCount: 4, headDim: 4, architecture: 'LlamaForCausalLM' });
});

const LLAMA3 = {
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 32,
};
const LLAMA3_PARSED = {
  type: 'llama3',
  factor: 8,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalMaxPositions: 32,
};

const YARN = {
  type: 'yarn',
  factor: 4,
  originalMaxPositions: 16,
  betaFast: 32,
  betaSlow: 1,
  isTruncated: true,
};

test.each([
  [{ rope_scaling: null }, { theta: 10000, scaling: { type: 'none' } }],
  [{ rope_scaling: { type: 'linear', factor: 2 } }, { theta: 10000, scaling: { type: 'linear', factor: 2 } }],
  [
    { rope_scaling: { type: 'dynamic', factor: 2 } },
    { theta: 10000, scaling: { type: 'dynamic', factor: 2, originalMaxPositions: 64 } },
  ],
  [
    { rope_theta: 5e5, rope_scaling: { rope_type: 'llama3', ...LLAMA3 } },
    { theta: 5e5, scaling: LLAMA3_PARSED },
  ],
  [
    { rope_parameters: { rope_type: 'llama3', rope_theta: 5e5, ...LLAMA3 } },
    { theta: 5e5, scaling: LLAMA3_PARSED },
  ],
  [{ rope_parameters: { rope_type: 'default', rope_theta: 1e6 } }, { theta: 1e6, scaling: { type: 'none' } }],
  [
    {
      rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 16 },
    },
    { theta: 10000, scaling: { ...YARN, attentionFactor: 0.1 * Math.log(4) + 1 } },
  ],
  [
    {
      rope_scaling: {
        rope_type: 'yarn',
        factor: 4,
        original_max_position_embeddings: 16,
        attention_factor: 2,
      },
    },
    { theta: 10000, scaling: { ...YARN, attentionFactor: 2 } },
  ],
  [
    {
      original_max_position_embeddings: 16,
      rope_scaling: { type: 'longrope', short_factor: [1, 2], long_factor: [3, 4] },
    },
    {
      theta: 10000,
      scaling: {
        type: 'longrope',
        shortFactors: [1, 2],
        longFactors: [3, 4],
        originalMaxPositions: 16,
        attentionFactor: Math.sqrt(1 + Math.log(4) / Math.log(16)),
      },
    },
  ],
  // The base beside the section, in either of the two sections, and the section's own first.
  [
    { rope_theta: 5e5, rope_parameters: { rope_type: 'default' } },
    { theta: 5e5, scaling: { type: 'none' } },
  ],
  [
    { rope_theta: 5e5, rope_parameters: {} },
    { theta: 5e5, scaling: { type: 'none' } },
  ],
  [
    { rope_theta: undefined, rope_scaling: { rope_type: 'linear', factor: 2, rope_theta: 5e5 } },
    { theta: 5e5, scaling: { type: 'linear', factor: 2 } },
  ],
  [
    { rope_theta: 1, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } },
    { theta: 5e5, scaling: { type: 'none' } },
  ],
  [
    { rope_theta: 5e5, rope_scaling: null, rope_parameters: { rope_type: 'llama3', ...LLAMA3 } },
    { theta: 5e5, scaling: LLAMA3_PARSED },
  ],
  [
    { rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: { rope_type: 'default', rope_theta: 7 } },
    { theta: 10000, scaling: { type: 'linear', factor: 2 } },
  ],
  [
    {
      rope_theta: 5e5,
      original_max_position_embeddings: 32,
      rope_scaling: { rope_type: 'llama3', ...LLAMA3, original_max_position_embeddings: undefined },
    },
    { theta: 5e5, scaling: LLAMA3_PARSED },
  ],
  [{ partial_rotary_factor: 1 }, { theta: 10000, scaling: { type: 'none' } }],
])('reads rotary settings of %j', (fields, rope) => {
  expect(parse(fields).rope).toEqual(rope);
});

test.each([
  [{ hidden_size: undefined }, 'CHECKPOINT_CONFIG', /'hidden_size' is missing/],
  [{ hidden_size: 16.5 }, 'CHECKPOINT_CONFIG', /'hidden_size' is 16\.5/],
  [{ num_hidden_layers: '2' }, 'CHECKPOINT_CONFIG', /'num_hidden_layers' is "2"/],
  [{ num_key_value_heads: 3 }, 'CHECKPOINT_CONFIG', /'num_key_value_heads' is 3, but must be a divisor/],
  [{ num_attention_heads: 3, num_key_value_heads: 3 }, 'CHECKPOINT_CONFIG', /'num_attention_heads' is 3/],
  [{ head_dim: 5 }, 'CHECKPOINT_CONFIG', /'head_dim' is 5, but must be even/],
  [{ rms_norm_eps: 0 }, 'CHECKPOINT_CONFIG', /'rms_norm_eps' is 0/],
  [{ tie_word_embeddings: 1 }, 'CHECKPOINT_CONFIG', /'tie_word_embeddings' is 1/],
  [{ rope_scaling: [1] }, 'CHECKPOINT_CONFIG', /'rope_scaling' is \[1\]/],
  [{ rope_scaling: { type: 'linear' } }, 'CHECKPOINT_CONFIG', /'factor' is missing/],
  [{ rope_scaling: { type: 'mrope', factor: 2 } }, 'UNSUPPORTED', /the type 'mrope'/],
  [
    { rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [1, 2] } },
    'CHECKPOINT_CONFIG',
    /'short_factor' is \[1\], but must be a list of 2 numbers above 0/,
  ],
  [{ partial_rotary_factor: 0.5 }, 'UNSUPPORTED', /'partial_rotary_factor' is 0\.5/],
  [
    { rope_parameters: { rope_type: 'default', partial_rotary_factor: 0.25 } },
    'UNSUPPORTED',
    /'partial_rotary_factor' is 0\.25/,
  ],
  [{ rms_norm_eps: NaN }, 'CHECKPOINT_CONFIG', /'rms_norm_eps' is NaN, but must be a number above 0/],
  [{ quantization_config: { bits: 4 } }, 'UNSUPPORTED', /quantization_config/],
  [{ architectures: undefined, model_type: 'x' }, 'ARCHITECTURE_UNKNOWN', /'architectures' is missing/],
])('refuses %j, naming file and field', (fields, code, message) => {
  const fault = faultOf(() => parse(fields));
  expect(fault.code).toBe(code);
  expect(fault.message).toMatch(message);
  expect(fault.message).toContain('m/config.json');
});

test('takes end ids and defaults from generation_config.json, else from config.json', () => {
  const model = new JsonFile('config.json', { eos_token_id: 2, bos_token_id: 1, pad_token_id: -1 });
  const empty = parseGenerationConfig(new JsonFile('generation_config.json', {}), model);
  expect(empty).toEqual({
    endIds: [2],
    bosId: 1,
    padId: null,
    doSample: null,
    temperature: null,
    topK: null,
    topP: null,
    repetitionPenalty: null,
  });
  const fields = {
    eos_token_id: [5, 6],
    pad_token_id: 0,
    do_sample: true,
    temperature: 0.6,
    top_k: 20,
    top_p: 0.9,
  };
  expect(parseGenerationConfig(new JsonFile('generation_config.json', fields), model)).toMatchObject({
    endIds: [5, 6],
    bosId: 1,
    padId: 0,
    doSample: true,
    temperature: 0.6,
    topK: 20,
    topP: 0.9,
  });
  const bad = new JsonFile('generation_config.json', { eos_token_id: 'x' });
  expect(faultOf(() => parseGenerationConfig(bad, model)).message).toMatch(
    /generation_config\.json: 'eos_token_id'/,
  );
});

test.each([
  [{ top_k: -1 }, { topK: 0 }],
  [{ top_k: 0 }, { topK: 0 }],
  [
    { top_k: null, temperature: null },
    { topK: null, temperature: null },
  ],
  [{ temperature: 0 }, { temperature: 0 }],
  [{ eos_token_id: [-1, 7] }, { endIds: [7] }],
  [
    { eos_token_id: -1, bos_token_id: -1 },
    { endIds: [2], bosId: 1 },
  ],
])('reads %j as requests have it', (fields, expected) => {
  const model = new JsonFile('config.json', { eos_token_id: 2, bos_token_id: 1 });
  expect(parseGenerationConfig(new JsonFile('generation_config.json', fields), model)).toMatchObject(
    expected,
  );
});

test.each([
  [{ top_k: -2 }, /'top_k' is -2, but must be an integer at least 0/],
  [{ top_k: 1.5 }, /'top_k' is 1\.5/],
  [{ temperature: -0.1 }, /'temperature' is -0\.1/],
  [{ temperature: NaN }, /'temperature' is NaN/],
  [{ top_p: 0 }, /'top_p' is 0, but must be a number above 0 and at most 1/],
  [{ top_p: 1.1 }, /'top_p' is 1\.1/],
  [{ min_p: 2 }, /'min_p' is 2/],
  [{ repetition_penalty: 0 }, /'repetition_penalty' is 0/],
  [{ repetition_penalty: '1' }, /'repetition_penalty' is "1"/],
])('refuses %j of generation_config.json, which no request may have', (fields, message) => {
  const model = new JsonFile('config.json', { eos_token_id: 2 });
  const fault = faultOf(() => parseGenerationConfig(new JsonFile('m/generation_config.json', fields), model));
  expect(fault.code).toBe('CHECKPOINT_CONFIG');
  expect(fault.message).toMatch(message);
  expect(fault.message).toMatch(/^m\/generation_config\.json: /);
});
