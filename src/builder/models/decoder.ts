/**
 * Blocks of decoder-only models, from which the file of each architecture puts its own together: embedding, pre-norm layers of
 * attention and a gated feed-forward network around a residual, final norm and head.
 *
 * Weights have TensorRT-LLM's names. One differs because two of its matrices are one here: `mlp.fc_gate` holds the rows of
 * `mlp.fc` (the gate, which goes through the activation), then those of `mlp.gate`.
 */
import type { AttentionScores, Plan, RopeParams } from '../../plan/plan.js';
import type { ModelConfig } from '../checkpoint/model-config.js';
import type { ModelDefinition } from './model-file.js';
import { PlanBuilder, type SourceRows } from './plan-builder.js';

/** The parts that a decoder has, and where their weights lie in a checkpoint. */
export interface DecoderLayout {
  /** Names of checkpoint tensors without their `.weight`. */
  readonly embedding: string;
  readonly finalNorm: string;
  /** Ignored where the config ties it to the embedding. */
  readonly head: string;
  readonly layer: (layer: number) => LayerLayout;
  readonly activation: 'swiglu' | 'geglu';
  /** Added to the weights of all norms. */
  readonly normOffset?: number;
  /** Factor of the embedding. */
  readonly embeddingScale?: number;
}

export interface LayerLayout {
  readonly inputNorm: string;
  readonly attention: AttentionLayout;
  /** Norm of what attention adds to the residual. */
  readonly attentionOutputNorm?: string;
  readonly mlpNorm: string;
  readonly mlp: MlpLayout | ExpertsLayout;
  /** Norm of what the feed-forward network adds to the residual. */
  readonly mlpOutputNorm?: string;
}

export interface AttentionLayout extends AttentionScores {
  /** Rows of queries, keys and values. */
  readonly qkv: readonly [SourceRows, SourceRows, SourceRows];
  readonly output: string;
  readonly hasQkvBias: boolean;
  readonly hasOutputBias: boolean;
  /** Norms of each query and key head. */
  readonly headNorms?: { readonly query: string; readonly key: string };
  readonly rope: RopeParams;
}

export interface MlpLayout {
  /** Rows of the gate, and of what it multiplies. */
  readonly gateUp: readonly [SourceRows, SourceRows];
  readonly down: string;
  readonly hasBias: boolean;
}

/** A mixture of experts. */
interface ExpertsLayout {
  readonly router: string;
  readonly expert: (expert: number) => { readonly gate: string; readonly up: string; readonly down: string };
}

export function defineDecoder(
  config: ModelConfig,
  layout: DecoderLayout,
  dtype: Plan['activationDtype'],
): ModelDefinition {
  const decoder = new Decoder(config, layout, dtype);
  decoder.embedding();
  for (let layer = 0; layer < config.layerCount; layer++) decoder.layer(layer);
  return decoder.head();
}

interface NormSpec {
  readonly name: string;
  readonly from: string;
  readonly x: string;
  readonly out: string;
}

class Decoder {
  readonly #config: ModelConfig;
  readonly #layout: DecoderLayout;
  readonly #plan: PlanBuilder;

  constructor(config: ModelConfig, layout: DecoderLayout, dtype: Plan['activationDtype']) {
    this.#config = config;
    this.#layout = layout;
    this.#plan = new PlanBuilder(dtype);
  }

  embedding(): void {
    const { vocabulary, hidden } = this.#config;
    const { embedding, embeddingScale: scale } = this.#layout;
    const rows = [{ tensor: `${embedding}.weight`, rows: vocabulary }];
    const table = this.#plan.weight('vocab_embedding.weight', 'replicated', rows, hidden);
    this.#plan.op({ kind: 'embedding', table, out: 'hidden', ...(scale === undefined ? {} : { scale }) });
  }

  layer(layer: number): void {
    const name = `layers.${layer}`;
    const { inputNorm, attention, attentionOutputNorm, mlpNorm, mlp, mlpOutputNorm } =
      this.#layout.layer(layer);
    const block = { x: 'hidden', out: 'normed' };
    this.#norm({ ...block, name: `${name}.input_layernorm`, from: inputNorm });
    this.#attention(layer, attention);
    this.#addToResidual(`${name}.attention_output_layernorm`, attentionOutputNorm);
    this.#norm({ ...block, name: `${name}.post_layernorm`, from: mlpNorm });
    if ('router' in mlp) this.#experts(`${name}.mlp`, mlp);
    else this.#mlp(`${name}.mlp`, mlp);
    this.#addToResidual(`${name}.mlp_output_layernorm`, mlpOutputNorm);
  }

  head(): ModelDefinition {
    const { hidden, vocabulary, tiedEmbeddings, logitSoftCap } = this.#config;
    const { embedding, finalNorm, head } = this.#layout;
    this.#plan.op({ kind: 'gather', x: 'hidden', out: 'last' });
    this.#norm({ name: 'ln_f', from: finalNorm, x: 'last', out: 'lastNormed' });
    this.#plan.linear({
      name: 'lm_head',
      rule: 'vocabularyRows',
      from: [{ tensor: tiedEmbeddings ? embedding : head, rows: vocabulary }],
      inputs: hidden,
      hasBias: false,
      x: 'lastNormed',
      out: 'logits',
      outDtype: 'f32',
    });
    if (logitSoftCap !== undefined) this.#plan.op({ kind: 'softCap', x: 'logits', cap: logitSoftCap });
    const { layerCount, headCount, kvHeadCount, headDim, intermediate, maxPositions } = this.#config;
    const heads = { headCount, kvHeadCount, headDim };
    const dims = { layerCount, hidden, ...heads, intermediate, vocabulary, maxPositions };
    return this.#plan.finish(this.#config.architecture, dims, 'logits');
  }

  /** A weight of one vector, with the offset of the model's norms. */
  #normWeight(name: string, from: string, length: number): string {
    const { normOffset: offset } = this.#layout;
    const rows = { tensor: `${from}.weight`, rows: length, ...(offset === undefined ? {} : { offset }) };
    return this.#plan.weight(`${name}.weight`, 'replicated', [rows], null);
  }

  #norm({ name, from, x, out }: NormSpec): void {
    const weight = this.#normWeight(name, from, this.#config.hidden);
    this.#plan.op({ kind: 'rmsNorm', x, weight, epsilon: this.#config.rmsNormEpsilon, out });
  }

  /** @param from norm of what is added; absent: it is added as it is */
  #addToResidual(name: string, from: string | undefined): void {
    if (from !== undefined) this.#norm({ name, from, x: 'delta', out: 'deltaNormed' });
    this.#plan.op({ kind: 'add', residual: 'hidden', delta: from === undefined ? 'delta' : 'deltaNormed' });
  }

  #attention(layer: number, layout: AttentionLayout): void {
    const name = `layers.${layer}.attention`;
    const { hidden, headCount, headDim } = this.#config;
    const { qkv: from, output, hasQkvBias, hasOutputBias, headNorms, rope, window, softCap } = layout;
    this.#plan.linear({
      name: `${name}.qkv`,
      rule: 'attentionRows',
      from,
      inputs: hidden,
      hasBias: hasQkvBias,
      x: 'normed',
      out: 'qkv',
    });
    if (headNorms !== undefined) this.#headNorms(name, headNorms);
    this.#plan.op({ kind: 'ropeAppend', qkv: 'qkv', layer, rope });
    this.#plan.op({
      kind: 'pagedAttention',
      qkv: 'qkv',
      layer,
      out: 'attended',
      ...(window === undefined ? {} : { window }),
      ...(softCap === undefined ? {} : { softCap }),
    });
    this.#plan.linear({
      name: `${name}.dense`,
      rule: 'columns',
      from: [{ tensor: output, rows: hidden }],
      inputs: headCount * headDim,
      hasBias: hasOutputBias,
      x: 'attended',
      out: 'delta',
    });
  }

  #headNorms(name: string, { query, key }: NonNullable<AttentionLayout['headNorms']>): void {
    const { headDim, rmsNormEpsilon: epsilon } = this.#config;
    const queryWeight = this.#normWeight(`${name}.query_layernorm`, query, headDim);
    const keyWeight = this.#normWeight(`${name}.key_layernorm`, key, headDim);
    this.#plan.op({ kind: 'headNorm', qkv: 'qkv', queryWeight, keyWeight, epsilon });
  }

  #mlp(name: string, { gateUp, down, hasBias }: MlpLayout): void {
    const { hidden, intermediate } = this.#config;
    this.#plan.linear({
      name: `${name}.fc_gate`,
      rule: 'rows',
      from: gateUp,
      inputs: hidden,
      hasBias,
      x: 'normed',
      out: 'gateUp',
    });
    this.#plan.op({ kind: this.#layout.activation, gateUp: 'gateUp', out: 'gated' });
    this.#plan.linear({
      name: `${name}.proj`,
      rule: 'columns',
      from: [{ tensor: down, rows: hidden }],
      inputs: intermediate,
      hasBias,
      x: 'gated',
      out: 'delta',
    });
  }

  #experts(name: string, { router, expert }: ExpertsLayout): void {
    const { hidden, intermediate: rows, experts } = this.#config;
    const { count, perToken, isNormalised } = experts!;
    this.#plan.linear({
      name: `${name}.router`,
      rule: 'replicated',
      from: [{ tensor: router, rows: count }],
      inputs: hidden,
      hasBias: false,
      x: 'normed',
      out: 'routerLogits',
      outDtype: 'f32',
    });
    const logits = 'routerLogits';
    this.#plan.op({ kind: 'routeExperts', logits, expertsPerToken: perToken, isNormalised, out: 'routes' });
    const layouts = Array.from({ length: count }, (_, i) => expert(i));
    const gateUps = layouts.flatMap(({ gate, up }) => [gate, up]);
    const gateUp = this.#plan.weight(
      `${name}.experts.fc_gate.weight`,
      'rows',
      gateUps.map((tensor) => ({ tensor: `${tensor}.weight`, rows })),
      hidden,
    );
    const down = this.#plan.weight(
      `${name}.experts.proj.weight`,
      'columns',
      layouts.map((one) => ({ tensor: `${one.down}.weight`, rows: hidden })),
      rows,
    );
    const shared = { routes: 'routes', expertCount: count } as const;
    this.#plan.op({ kind: 'expertGateUp', ...shared, x: 'normed', weight: gateUp, out: 'gated' });
    this.#plan.op({ kind: 'expertDown', ...shared, gated: 'gated', weight: down, out: 'delta' });
  }
}
