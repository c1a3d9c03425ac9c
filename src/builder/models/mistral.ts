/** Mistral 7B (arXiv 2310.06825) and its successors: LLaMA with an attention window in all layers, where config.json has one. */
import { parseModelConfig } from '../checkpoint/model-config.js';
import { windowsWhere } from './windows.js';
import { expectActivation } from './check-config.js';
import { defineDecoder } from './decoder.js';
import type { ModelFile } from './model-file.js';
import { publishedLayout } from './published-names.js';

export const mistral: ModelFile = {
  name: 'mistral',
  architectures: ['MistralForCausalLM'],
  modelType: 'mistral',
  readConfig: (file) => ({ ...parseModelConfig(file), ...windowsWhere(file, () => true) }),
  define(config, dtype) {
    expectActivation(config, 'silu');
    return defineDecoder(config, publishedLayout(config), dtype);
  },
};
