/** Qwen3-MoE (arXiv 2505.09388): Qwen 3 with a mixture of experts in every layer. */
import { AloftError } from '../../core/errors.js';
import type { JsonFile } from '../checkpoint/json-file.js';
import { type ModelConfig, parseModelConfig } from '../checkpoint/model-config.js';
import { expectActivation } from './check-config.js';
import { defineDecoder } from './decoder.js';
import type { ModelFile } from './model-file.js';
import { publishedHeadNorms, publishedLayer, publishedLayout } from './published-names.js';
import { qwenWindows } from './windows.js';

export const qwen3Moe: ModelFile = {
  name: 'qwen3_moe',
  architectures: ['Qwen3MoeForCausalLM'],
  modelType: 'qwen3_moe',
  readConfig,
  define(config, dtype) {
    expectActivation(config, 'silu');
    return defineDecoder(config, { ...publishedLayout(config), layer }, dtype);

    function layer(index: number) {
      const from = `model.layers.${index}.mlp`;
      const { attention, ...rest } = publishedLayer(config, index);
      const expert = (i: number) => ({
        gate: `${from}.experts.${i}.gate_proj`,
        up: `${from}.experts.${i}.up_proj`,
        down: `${from}.experts.${i}.down_proj`,
      });
      return {
        ...rest,
        attention: { ...attention, headNorms: publishedHeadNorms(index) },
        mlp: { router: `${from}.gate`, expert },
      };
    }
  },
};

/** @throws {AloftError} UNSUPPORTED for models some of whose layers have no experts */
function readConfig(file: JsonFile): ModelConfig {
  const dense: unknown = file.fields['mlp_only_layers'] ?? [];
  if (file.count('decoder_sparse_step', 1) !== 1 || !Array.isArray(dense) || dense.length > 0)
    throw new AloftError(
      'UNSUPPORTED',
      `${file.path}: 'decoder_sparse_step' or 'mlp_only_layers' gives some layers no experts; only models with experts in every layer are supported.`,
    );
  return {
    ...parseModelConfig(file),
    ...qwenWindows(file),
    intermediate: file.count('moe_intermediate_size'),
    experts: {
      count: file.count('num_experts'),
      perToken: file.count('num_experts_per_tok'),
      isNormalised: file.flag('norm_topk_prob', false),
    },
  };
}
