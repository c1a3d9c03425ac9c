/** Phi-3 (arXiv 2404.14219) and Phi-4 (arXiv 2412.08905, 2503.01743): LLaMA with fused matrices, rotated in part or by longrope. */
import { parseModelConfig } from '../checkpoint/model-config.js';
import { windowsWhere } from './windows.js';
import { expectActivation } from './check-config.js';
import { defineDecoder } from './decoder.js';
import type { ModelFile } from './model-file.js';
import { fusedGateUp, fusedQkv, publishedLayer, publishedLayout } from './published-names.js';

export const phi3: ModelFile = {
  name: 'phi3',
  architectures: ['Phi3ForCausalLM'],
  modelType: 'phi3',
  readConfig: (file) => ({
    ...parseModelConfig(file, { partialRotaryFactor: 1 }),
    ...windowsWhere(file, () => true),
  }),
  define(config, dtype) {
    expectActivation(config, 'silu');
    const layout = publishedLayout(config);
    return defineDecoder(config, { ...layout, layer }, dtype);

    function layer(index: number) {
      const from = `model.layers.${index}`;
      const { attention, mlp, ...rest } = publishedLayer(config, index);
      return {
        ...rest,
        attention: { ...attention, qkv: fusedQkv(`${from}.self_attn.qkv_proj`, config) },
        mlp: { ...mlp, gateUp: fusedGateUp(`${from}.mlp.gate_up_proj`, config) },
      };
    }
  },
};
