/** Layouts with the tensor names of transformers' LLaMA, which most published checkpoints share in most of their parts. */
import type { AttentionScores, HeadRows, RopeParams } from '../../plan/plan.js';
import type { ModelConfig } from '../checkpoint/model-config.js';
import type { AttentionLayout, DecoderLayout, LayerLayout, MlpLayout } from './decoder.js';
import type { SourceRows } from './plan-builder.js';

/** The layout of LLaMA. Files of other architectures spread it and say what differs. */
export function publishedLayout(config: ModelConfig): DecoderLayout {
  return {
    embedding: 'model.embed_tokens',
    finalNorm: 'model.norm',
    head: 'lm_head',
    activation: 'swiglu',
    layer: (layer) => publishedLayer(config, layer),
  };
}

export function publishedLayer(config: ModelConfig, layer: number): LayerLayout {
  const from = `model.layers.${layer}`;
  return {
    inputNorm: `${from}.input_layernorm`,
    attention: publishedAttention(config, layer),
    mlpNorm: `${from}.post_attention_layernorm`,
    mlp: publishedMlp(config, layer),
  };
}

function publishedAttention(config: ModelConfig, layer: number): AttentionLayout {
  const from = `model.layers.${layer}.self_attn`;
  const { attentionBias: hasBias } = config;
  const [queries, keys, values] = attentionRows(config);
  return {
    qkv: [
      { tensor: `${from}.q_proj`, ...queries },
      { tensor: `${from}.k_proj`, ...keys },
      { tensor: `${from}.v_proj`, ...values },
    ],
    output: `${from}.o_proj`,
    hasQkvBias: hasBias,
    hasOutputBias: hasBias,
    ...attentionScores(config, layer),
  };
}

function publishedMlp({ intermediate: rows, mlpBias: hasBias }: ModelConfig, layer: number): MlpLayout {
  const from = `model.layers.${layer}.mlp`;
  return {
    gateUp: [
      { tensor: `${from}.gate_proj`, rows },
      { tensor: `${from}.up_proj`, rows },
    ],
    down: `${from}.down_proj`,
    hasBias,
  };
}

/** Norms of query and key heads as Qwen3 and Gemma 3 name them. */
export function publishedHeadNorms(layer: number): NonNullable<AttentionLayout['headNorms']> {
  const from = `model.layers.${layer}.self_attn`;
  return { query: `${from}.q_norm`, key: `${from}.k_norm` };
}

/** Queries, keys and values one after another in one tensor. */
export function fusedQkv(tensor: string, config: ModelConfig): AttentionLayout['qkv'] {
  const [queries, keys, values] = attentionRows(config);
  const tensorRows = queries.rows + keys.rows + values.rows;
  const within = (start: number) => ({ start, tensorRows });
  return [
    { tensor, ...queries, within: within(0) },
    { tensor, ...keys, within: within(queries.rows) },
    { tensor, ...values, within: within(queries.rows + keys.rows) },
  ];
}

/** The gate and what it multiplies, one after another in one tensor. */
export function fusedGateUp(tensor: string, { intermediate: rows }: ModelConfig): MlpLayout['gateUp'] {
  return [
    { tensor, rows, within: { start: 0, tensorRows: 2 * rows } },
    { tensor, rows, within: { start: rows, tensorRows: 2 * rows } },
  ];
}

type RowsOfHeads = Omit<SourceRows, 'tensor'>;

function attentionRows(config: ModelConfig): readonly [RowsOfHeads, RowsOfHeads, RowsOfHeads] {
  const { headCount, kvHeadCount, headDim } = config;
  const headRows = headRowsOf(config);
  const rotated = headRows === undefined ? {} : { headRows };
  const kvRows = kvHeadCount * headDim;
  return [{ rows: headCount * headDim, ...rotated }, { rows: kvRows, ...rotated }, { rows: kvRows }];
}

/** Undefined where the checkpoint's order is that of the kernels: whole heads are rotated, in halves. */
function headRowsOf({ headDim, rope, isInterleaved = false }: ModelConfig): HeadRows | undefined {
  const { rotaryDim = headDim } = rope;
  return rotaryDim === headDim && !isInterleaved ? undefined : { headDim, rotaryDim, isInterleaved };
}

/** Rotation and scores of a layer, as the config has them. */
export function attentionScores(
  config: ModelConfig,
  layer: number,
): AttentionScores & { readonly rope: RopeParams } {
  const { headDim, rope, windows, windowRope = rope, scoreDim, attentionSoftCap: softCap } = config;
  const window = windows?.[layer] ?? undefined;
  const layerRope = window === undefined ? rope : windowRope;
  return {
    rope: scoreDim === undefined ? layerRope : { ...layerRope, scoreScale: Math.sqrt(headDim / scoreDim) },
    ...(window === undefined ? {} : { window }),
    ...(softCap === undefined ? {} : { softCap }),
  };
}
