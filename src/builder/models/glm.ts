/**
 * GLM-4 as transformers publishes it: half of each head is rotated, in neighbouring pairs, and gate and up projection are one
 * matrix. `Glm4ForCausalLM` (GLM-4-0414) also has norms of what each block adds. Checkpoints with the names of
 * ChatGLM are in chatglm.ts. Source: "ChatGLM: A Family of Large Language Models" (arXiv 2406.12793).
 */
import type { Plan } from '../../plan/plan.js';
import type { JsonFile } from '../checkpoint/json-file.js';
import { type ModelConfig, parseModelConfig } from '../checkpoint/model-config.js';
import { expectActivation } from './check-config.js';
import { defineDecoder, type LayerLayout } from './decoder.js';
import type { ModelDefinition, ModelFile } from './model-file.js';
import { fusedGateUp, publishedLayer, publishedLayout } from './published-names.js';

export const glm: ModelFile = {
  name: 'glm',
  architectures: ['GlmForCausalLM'],
  modelType: 'glm',
  readConfig,
  define: (config, dtype) => defineGlm(config, dtype, (index) => glmLayer(config, index)),
};

export const glm4: ModelFile = {
  name: 'glm4',
  architectures: ['Glm4ForCausalLM'],
  modelType: 'glm4',
  readConfig,
  define: (config, dtype) =>
    defineGlm(config, dtype, (index) => ({
      ...glmLayer(config, index),
      attentionOutputNorm: `model.layers.${index}.post_self_attn_layernorm`,
      mlpOutputNorm: `model.layers.${index}.post_mlp_layernorm`,
    })),
};

function readConfig(file: JsonFile): ModelConfig {
  return { ...parseModelConfig(file, { partialRotaryFactor: 0.5 }), isInterleaved: true };
}

function defineGlm(
  config: ModelConfig,
  dtype: Plan['activationDtype'],
  layer: (index: number) => LayerLayout,
): ModelDefinition {
  expectActivation(config, 'silu');
  return defineDecoder(config, { ...publishedLayout(config), layer }, dtype);
}

function glmLayer(config: ModelConfig, index: number): LayerLayout {
  const { attention, mlp, ...rest } = publishedLayer(config, index);
  return {
    ...rest,
    attention: { ...attention, hasOutputBias: false },
    mlp: { ...mlp, gateUp: fusedGateUp(`model.layers.${index}.mlp.gate_up_proj`, config) },
  };
}
