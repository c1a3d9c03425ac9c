/** Mixtral (arXiv 2401.04088): Mistral with a mixture of experts in every layer. */
import { parseModelConfig } from '../checkpoint/model-config.js';
import { expectActivation } from './check-config.js';
import { defineDecoder } from './decoder.js';
import type { ModelFile } from './model-file.js';
import { publishedLayer, publishedLayout } from './published-names.js';
import { windowsWhere } from './windows.js';

export const mixtral: ModelFile = {
  name: 'mixtral',
  architectures: ['MixtralForCausalLM'],
  modelType: 'mixtral',
  readConfig: (file) => ({
    ...parseModelConfig(file),
    ...windowsWhere(file, () => true),
    experts: {
      count: file.count('num_local_experts'),
      perToken: file.count('num_experts_per_tok'),
      isNormalised: true,
    },
  }),
  define(config, dtype) {
    expectActivation(config, 'silu');
    return defineDecoder(config, { ...publishedLayout(config), layer }, dtype);

    function layer(index: number) {
      const from = `model.layers.${index}.block_sparse_moe`;
      const expert = (i: number) => ({
        gate: `${from}.experts.${i}.w1`,
        up: `${from}.experts.${i}.w3`,
        down: `${from}.experts.${i}.w2`,
      });
      return { ...publishedLayer(config, index), mlp: { router: `${from}.gate`, expert } };
    }
  },
};
