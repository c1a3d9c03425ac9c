/**
 * ChatGLM2-6B, ChatGLM3-6B and GLM-4-9B with the names of their own code: groups of queries share keys, the first half of each
 * head is rotated in neighbouring pairs, and queries, keys and values, as gate and up projection, are one matrix.
 * Source: "ChatGLM: A Family of Large Language Models" (arXiv 2406.12793) and the published checkpoints.
 */
import { chatglmConfig } from './chatglm-config.js';
import { defineDecoder, type LayerLayout } from './decoder.js';
import type { ModelFile } from './model-file.js';
import { attentionScores, fusedGateUp, fusedQkv } from './published-names.js';

export const chatglm: ModelFile = {
  name: 'chatglm',
  architectures: ['ChatGLMModel', 'ChatGLMForConditionalGeneration'],
  modelType: 'chatglm',
  readConfig: chatglmConfig,
  define(config, dtype) {
    const layer = (index: number): LayerLayout => {
      const from = `transformer.encoder.layers.${index}`;
      return {
        inputNorm: `${from}.input_layernorm`,
        attention: {
          qkv: fusedQkv(`${from}.self_attention.query_key_value`, config),
          output: `${from}.self_attention.dense`,
          hasQkvBias: config.attentionBias,
          hasOutputBias: false,
          ...attentionScores(config, index),
        },
        mlpNorm: `${from}.post_attention_layernorm`,
        mlp: {
          gateUp: fusedGateUp(`${from}.mlp.dense_h_to_4h`, config),
          down: `${from}.mlp.dense_4h_to_h`,
          hasBias: config.mlpBias,
        },
      };
    };
    const layout = {
      embedding: 'transformer.embedding.word_embeddings',
      finalNorm: 'transformer.encoder.final_layernorm',
      head: 'transformer.output_layer',
      activation: 'swiglu',
      layer,
    } as const;
    return defineDecoder(config, layout, dtype);
  },
};
