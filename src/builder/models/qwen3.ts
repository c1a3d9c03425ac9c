/** Qwen 3 (arXiv 2505.09388): LLaMA with a norm of each query and key head. */
import { parseModelConfig } from '../checkpoint/model-config.js';
import { qwenWindows } from './windows.js';
import { expectActivation } from './check-config.js';
import { defineDecoder } from './decoder.js';
import type { ModelFile } from './model-file.js';
import { publishedHeadNorms, publishedLayer, publishedLayout } from './published-names.js';

export const qwen3: ModelFile = {
  name: 'qwen3',
  architectures: ['Qwen3ForCausalLM'],
  modelType: 'qwen3',
  readConfig: (file) => ({ ...parseModelConfig(file), ...qwenWindows(file) }),
  define(config, dtype) {
    expectActivation(config, 'silu');
    const layout = publishedLayout(config);
    return defineDecoder(config, { ...layout, layer }, dtype);

    function layer(index: number) {
      const { attention, ...rest } = publishedLayer(config, index);
      return { ...rest, attention: { ...attention, headNorms: publishedHeadNorms(index) } };
    }
  },
};
