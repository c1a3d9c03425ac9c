/**
 * LLaMA 1, 2 and 3: pre-norm decoder with rotary positions, grouped-query attention and a SwiGLU network.
 * Source: "LLaMA" (arXiv 2302.13971), "Llama 2" (arXiv 2307.09288), "The Llama 3 Herd of Models" (arXiv 2407.21783).
 *
 * Weights have TensorRT-LLM's names. One differs because two of its matrices are one here:
 * `mlp.fc_gate` holds the rows of `mlp.fc` (gate_proj, which goes through SiLU), then those of `mlp.gate` (up_proj).
 */
import { AloftError } from '../../core/errors.js';
import type { Plan } from '../../plan/plan.js';
import type { ModelConfig } from '../checkpoint/model-config.js';
import type { ModelDefinition, ModelFile } from './model-file.js';
import { PlanBuilder } from './plan-builder.js';

export const llama: ModelFile = {
  name: 'llama',
  architectures: ['LlamaForCausalLM', 'LLaMAForCausalLM'],
  define,
};

function define(config: ModelConfig, dtype: Plan['activationDtype']): ModelDefinition {
  if (config.activation !== 'silu')
    throw new AloftError(
      'UNSUPPORTED',
      `${config.path}: 'hidden_act' is '${config.activation}', but LLaMA models here use 'silu'.`,
    );
  const { hidden, vocabulary } = config;
  const plan = new PlanBuilder(dtype);
  const embedding = { tensor: 'model.embed_tokens', rows: vocabulary };
  const table = plan.weight(
    'vocab_embedding.weight',
    'replicated',
    [{ tensor: `${embedding.tensor}.weight`, rows: vocabulary }],
    hidden,
  );
  plan.op({ kind: 'embedding', table, out: 'hidden' });
  for (let layer = 0; layer < config.layerCount; layer++) defineLayer(plan, config, layer);
  plan.op({ kind: 'gather', x: 'hidden', out: 'last' });
  defineNorm(plan, config, { name: 'ln_f', from: 'model.norm', x: 'last', out: 'lastNormed' });
  plan.linear({
    name: 'lm_head',
    rule: 'vocabularyRows',
    from: [config.tiedEmbeddings ? embedding : { tensor: 'lm_head', rows: vocabulary }],
    inputs: hidden,
    hasBias: false,
    x: 'lastNormed',
    out: 'logits',
    outDtype: 'f32',
  });
  const { layerCount, headCount, kvHeadCount, headDim, intermediate, maxPositions } = config;
  const dims = { layerCount, hidden, headCount, kvHeadCount, headDim, intermediate, vocabulary, maxPositions };
  return plan.finish(config.architecture, dims, 'logits');
}

function defineLayer(plan: PlanBuilder, config: ModelConfig, layer: number): void {
  const name = `layers.${layer}`;
  const from = `model.layers.${layer}`;
  const block = { x: 'hidden', out: 'normed' };
  defineNorm(plan, config, { ...block, name: `${name}.input_layernorm`, from: `${from}.input_layernorm` });
  defineAttention(plan, config, layer);
  plan.op({ kind: 'add', residual: 'hidden', delta: 'delta' });
  defineNorm(plan, config, { ...block, name: `${name}.post_layernorm`, from: `${from}.post_attention_layernorm` });
  defineMlp(plan, config, layer);
  plan.op({ kind: 'add', residual: 'hidden', delta: 'delta' });
}

interface NormSpec {
  readonly name: string;
  readonly from: string;
  readonly x: string;
  readonly out: string;
}

function defineNorm(plan: PlanBuilder, config: ModelConfig, { name, from, x, out }: NormSpec): void {
  const rows = [{ tensor: `${from}.weight`, rows: config.hidden }];
  const weight = plan.weight(`${name}.weight`, 'replicated', rows, null);
  plan.op({ kind: 'rmsNorm', x, weight, epsilon: config.rmsNormEpsilon, out });
}

function defineAttention(plan: PlanBuilder, config: ModelConfig, layer: number): void {
  const name = `layers.${layer}.attention`;
  const from = `model.layers.${layer}.self_attn`;
  const { hidden, headDim, attentionBias: hasBias } = config;
  const [queryWidth, kvWidth] = [config.headCount * headDim, config.kvHeadCount * headDim];
  plan.linear({
    name: `${name}.qkv`,
    rule: 'attentionRows',
    from: [
      { tensor: `${from}.q_proj`, rows: queryWidth },
      { tensor: `${from}.k_proj`, rows: kvWidth },
      { tensor: `${from}.v_proj`, rows: kvWidth },
    ],
    inputs: hidden,
    hasBias,
    x: 'normed',
    out: 'qkv',
  });
  plan.op({ kind: 'ropeAppend', qkv: 'qkv', layer, rope: config.rope });
  plan.op({ kind: 'pagedAttention', qkv: 'qkv', layer, out: 'attended' });
  plan.linear({
    name: `${name}.dense`,
    rule: 'columns',
    from: [{ tensor: `${from}.o_proj`, rows: hidden }],
    inputs: queryWidth,
    hasBias,
    x: 'attended',
    out: 'delta',
  });
}

function defineMlp(plan: PlanBuilder, config: ModelConfig, layer: number): void {
  const name = `layers.${layer}.mlp`;
  const from = `model.layers.${layer}.mlp`;
  const { hidden, intermediate, mlpBias: hasBias } = config;
  plan.linear({
    name: `${name}.fc_gate`,
    rule: 'rows',
    from: [
      { tensor: `${from}.gate_proj`, rows: intermediate },
      { tensor: `${from}.up_proj`, rows: intermediate },
    ],
    inputs: hidden,
    hasBias,
    x: 'normed',
    out: 'gateUp',
  });
  plan.op({ kind: 'swiglu', gateUp: 'gateUp', out: 'gated' });
  plan.linear({
    name: `${name}.proj`,
    rule: 'columns',
    from: [{ tensor: `${from}.down_proj`, rows: hidden }],
    inputs: intermediate,
    hasBias,
    x: 'gated',
    out: 'delta',
  });
}
