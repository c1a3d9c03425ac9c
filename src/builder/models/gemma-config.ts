/** config.json of Gemma 2 and of the text models of Gemma 3. */
import type { JsonFile } from '../checkpoint/json-file.js';
import { type ModelConfig, parseModelConfig } from '../checkpoint/model-config.js';
import { ropeOf } from '../checkpoint/rope-config.js';
import { windowsWhere } from './windows.js';

/** Layers of Gemma 3 from one that sees all tokens to the next. */
const GEMMA3_PATTERN = 6;

export function gemma2Config(file: JsonFile): ModelConfig {
  return { ...gemmaConfig(file), ...windowsWhere(file, (layer) => layer % 2 === 0) };
}

export function gemma3Config(file: JsonFile): ModelConfig {
  const pattern = file.count('sliding_window_pattern', file.count('_sliding_window_pattern', GEMMA3_PATTERN));
  const config = gemmaConfig(file);
  return {
    ...config,
    ...windowsWhere(file, (layer) => (layer + 1) % pattern !== 0),
    ...gemma3Ropes(file, config),
  };
}

/** The rotations of layers that see all tokens, and of those with a window. Older files have the latter's base alone. */
function gemma3Ropes(file: JsonFile, { headDim, rope }: ModelConfig): Pick<ModelConfig, 'rope' | 'windowRope'> {
  const merged = file.section('rope_parameters');
  const [full, sliding] = [merged?.section('full_attention'), merged?.section('sliding_attention')];
  if (full !== undefined && sliding !== undefined)
    return { rope: ropeOf(file, headDim, { section: full }), windowRope: ropeOf(file, headDim, { section: sliding }) };
  const theta = file.positive('rope_local_base_freq', 10_000);
  const base = { ...rope, theta: file.positive('rope_theta', 1_000_000) };
  return { rope: base, windowRope: { theta, scaling: { type: 'none' } } };
}

/** Fields that both have: heads of 256, tied embeddings and capped values where the file says nothing else. */
function gemmaConfig(file: JsonFile): ModelConfig {
  const caps = [file.optionalNumber('attn_logit_softcapping'), file.optionalNumber('final_logit_softcapping')];
  const [attentionSoftCap, logitSoftCap] = caps.map((cap) => cap ?? undefined);
  const config = parseModelConfig(file, { tiedEmbeddings: true, activation: 'gelu_pytorch_tanh' });
  return {
    ...config,
    headDim: file.count('head_dim', 256),
    // Its configs keep the name of another activation in `hidden_act`.
    activation: file.text('hidden_activation', 'gelu_pytorch_tanh'),
    scoreDim: file.positive('query_pre_attn_scalar', 256),
    ...(attentionSoftCap === undefined ? {} : { attentionSoftCap }),
    ...(logitSoftCap === undefined ? {} : { logitSoftCap }),
  };
}
