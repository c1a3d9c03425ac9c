/** Qwen 2 and 2.5 (arXiv 2407.10671, 2412.15115): LLaMA with biases of queries, keys and values. */
import { parseModelConfig } from '../checkpoint/model-config.js';
import { qwenWindows } from './windows.js';
import { expectActivation } from './check-config.js';
import { defineDecoder } from './decoder.js';
import type { ModelFile } from './model-file.js';
import { publishedLayer, publishedLayout } from './published-names.js';

export const qwen2: ModelFile = {
  name: 'qwen2',
  architectures: ['Qwen2ForCausalLM'],
  modelType: 'qwen2',
  readConfig: (file) => ({ ...parseModelConfig(file), ...qwenWindows(file) }),
  define(config, dtype) {
    expectActivation(config, 'silu');
    const layout = publishedLayout(config);
    return defineDecoder(config, { ...layout, layer }, dtype);

    function layer(index: number) {
      const { attention, ...rest } = publishedLayer(config, index);
      return { ...rest, attention: { ...attention, hasQkvBias: true, hasOutputBias: false } };
    }
  },
};
