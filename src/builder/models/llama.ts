/**
 * LLaMA 1, 2 and 3: pre-norm decoder with rotary positions, grouped-query attention and a SwiGLU network.
 * Source: "LLaMA" (arXiv 2302.13971), "Llama 2" (arXiv 2307.09288), "The Llama 3 Herd of Models" (arXiv 2407.21783).
 */
import { parseModelConfig } from '../checkpoint/model-config.js';
import { expectActivation } from './check-config.js';
import { defineDecoder } from './decoder.js';
import type { ModelFile } from './model-file.js';
import { publishedLayout } from './published-names.js';

export const llama: ModelFile = {
  name: 'llama',
  architectures: ['LlamaForCausalLM', 'LLaMAForCausalLM'],
  modelType: 'llama',
  readConfig: parseModelConfig,
  define(config, dtype) {
    expectActivation(config, 'silu');
    return defineDecoder(config, publishedLayout(config), dtype);
  },
};
