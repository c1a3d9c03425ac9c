/**
 * Gemma 2 (arXiv 2408.00118) and the text models of Gemma 3 (arXiv 2503.19786): norms before and after each block whose
 * weights are centred at zero, a scaled embedding, GeGLU, layers with a window between layers that see all. Gemma 2 caps scores
 * and logits; Gemma 3 has norms of query and key heads, and rotates layers with a window by frequencies of their own.
 */
import type { Plan } from '../../plan/plan.js';
import { gemma2Config, gemma3Config } from './gemma-config.js';
import type { ModelConfig } from '../checkpoint/model-config.js';
import { expectActivation } from './check-config.js';
import { defineDecoder, type LayerLayout } from './decoder.js';
import type { ModelDefinition, ModelFile } from './model-file.js';
import { publishedHeadNorms, publishedLayer, publishedLayout } from './published-names.js';

export const gemma2: ModelFile = {
  name: 'gemma2',
  architectures: ['Gemma2ForCausalLM'],
  modelType: 'gemma2',
  readConfig: gemma2Config,
  define: (config, dtype) => defineGemma(config, dtype, (index) => gemmaLayer(config, index)),
};

export const gemma3: ModelFile = {
  name: 'gemma3',
  architectures: ['Gemma3ForCausalLM'],
  modelType: 'gemma3_text',
  readConfig: gemma3Config,
  define: (config, dtype) =>
    defineGemma(config, dtype, (index) => {
      const { attention, ...rest } = gemmaLayer(config, index);
      return { ...rest, attention: { ...attention, headNorms: publishedHeadNorms(index) } };
    }),
};

function defineGemma(
  config: ModelConfig,
  dtype: Plan['activationDtype'],
  layer: (index: number) => LayerLayout,
): ModelDefinition {
  expectActivation(config, 'gelu_pytorch_tanh');
  const layout = publishedLayout(config);
  const embeddingScale = Math.sqrt(config.hidden);
  return defineDecoder(config, { ...layout, layer, activation: 'geglu', normOffset: 1, embeddingScale }, dtype);
}

function gemmaLayer(config: ModelConfig, index: number): LayerLayout {
  const from = `model.layers.${index}`;
  return {
    ...publishedLayer(config, index),
    attentionOutputNorm: `${from}.post_attention_layernorm`,
    mlpNorm: `${from}.pre_feedforward_layernorm`,
    mlpOutputNorm: `${from}.post_feedforward_layernorm`,
  };
}
