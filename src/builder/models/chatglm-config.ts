/** config.json of ChatGLM2, ChatGLM3 and GLM-4-9B, which has names of its own. */
import { expectFlag } from './check-config.js';
import { AloftError } from '../../core/errors.js';
import type { JsonFile } from '../checkpoint/json-file.js';
import { architectureOf, checkHeads, type ModelConfig } from '../checkpoint/model-config.js';

/** RoPE's base before `rope_ratio`. */
const BASE = 10_000;

/** @throws {AloftError} CHECKPOINT_CONFIG, UNSUPPORTED for the first ChatGLM-6B and for options that no published model has */
export function chatglmConfig(file: JsonFile): ModelConfig {
  if (file.has('inner_hidden_size'))
    throw new AloftError(
      'UNSUPPORTED',
      `${file.path}: 'inner_hidden_size' belongs to the first ChatGLM-6B, whose positions have two dimensions. ChatGLM2-6B, ChatGLM3-6B and GLM-4-9B are supported.`,
    );
  for (const name of ['rmsnorm', 'post_layer_norm']) expectFlag(file, name, true);
  for (const name of ['apply_residual_connection_post_layernorm', 'add_bias_linear'])
    expectFlag(file, name, false);
  const hidden = file.count('hidden_size');
  const headCount = file.count('num_attention_heads');
  const headDim = file.count('kv_channels', Math.floor(hidden / headCount));
  const hasGroups = file.flag('multi_query_attention', false);
  const config: ModelConfig = {
    path: file.path,
    architecture: architectureOf(file, 'ChatGLMModel'),
    hidden,
    intermediate: file.count('ffn_hidden_size'),
    layerCount: file.count('num_layers'),
    headCount,
    kvHeadCount: hasGroups ? file.count('multi_query_group_num') : headCount,
    headDim,
    vocabulary: file.count('padded_vocab_size'),
    maxPositions: file.count('seq_length', 2048),
    rmsNormEpsilon: file.positive('layernorm_epsilon', 1e-5),
    rope: { ...ropeOf(file), rotaryDim: headDim / 2 },
    isInterleaved: true,
    activation: 'silu',
    tiedEmbeddings: file.flag('tie_word_embeddings', false),
    attentionBias: file.flag('add_qkv_bias', true),
    mlpBias: false,
  };
  checkHeads(file, config);
  return config;
}

/** ChatGLM3 and GLM-4 multiply the base by `rope_ratio`, ChatGLM2-6B-32K divides positions by it. */
function ropeOf(file: JsonFile): Pick<ModelConfig['rope'], 'theta' | 'scaling'> {
  const ratio = file.positive('rope_ratio', 1);
  const isInterpolated = ratio !== 1 && /chatglm2/i.test(file.text('_name_or_path', ''));
  return isInterpolated
    ? { theta: BASE, scaling: { type: 'linear', factor: ratio } }
    : { theta: BASE * ratio, scaling: { type: 'none' } };
}
