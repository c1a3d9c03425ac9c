import { present } from '../../core/present.js';
import type { LinearOp, Plan, PlanDims, PlanOp, PlanWeight, RopeParams } from '../plan.js';
import type { WeightFormat } from '../weight-format.js';

export interface TestPlanShape {
  readonly dims: Omit<PlanDims, 'maxPositions'>;
  readonly rope: RopeParams;
  /** Format of linears; tables and vectors are stored in `dense`. */
  readonly format: WeightFormat;
  readonly dense: 'f32' | 'f16' | 'bf16';
  readonly bias: boolean;
  /** Format of the table of embeddings. Absent: that of `dense`. */
  readonly table?: WeightFormat;
  /** Bits that the inputs of linears but the head may be rounded to. */
  readonly inputBits?: LinearOp['inputBits'];
  /** With `addRmsNorm` instead of `add` and `rmsNorm`. */
  readonly fused: boolean;
  /** With what Gemma's layers have beside those of LLaMA, see {@link GEMMA}. Absent: false. */
  readonly isGemma?: boolean;
  /** With a mixture of experts in place of the feed-forward networks, see {@link MIXTURE}. Absent: false. */
  readonly isMixture?: boolean;
}

const MIXTURE = { expertCount: 4, expertsPerToken: 2 } as const;

/** Every second layer has a window, shorter than most sequences of tests, and a rotation of its own. */
const GEMMA = { window: 11, softCap: 2, logitSoftCap: 5, embeddingScale: 1.5, windowTheta: 100 } as const;

/** The shape of a plan with every op that one rank uses. */
export const TINY_PLAN_SHAPE: TestPlanShape = {
  dims: {
    layerCount: 1,
    hidden: 12,
    headCount: 4,
    kvHeadCount: 2,
    headDim: 2,
    intermediate: 10,
    vocabulary: 30,
  },
  rope: { theta: 10_000, scaling: { type: 'none' } },
  format: { type: 'dense', dtype: 'f16' },
  dense: 'f16',
  bias: false,
  fused: true,
};

/** A LLaMA-shaped plan for tests of planners and executors. */
export function createTestPlan(shape: TestPlanShape): Plan {
  return new TestPlanBuilder(shape).build();
}

const EPSILON = 1e-5;

class TestPlanBuilder {
  readonly #shape: TestPlanShape;
  readonly #ops: PlanOp[] = [];
  readonly #weights: Record<string, PlanWeight> = {};

  constructor(shape: TestPlanShape) {
    this.#shape = shape;
  }

  build(): Plan {
    const { dims, dense, table } = this.#shape;
    const { vocabulary, hidden, layerCount } = dims;
    this.#ops.push({
      kind: 'embedding',
      table: this.#weight('embedding', [vocabulary, hidden], table ?? { type: 'dense', dtype: dense }),
      out: 'hidden',
      ...(this.#isGemma && { scale: GEMMA.embeddingScale }),
    });
    this.#norm('norm.first', 'hidden', 'normed');
    for (let layer = 0; layer < layerCount; layer++) this.#layer(layer);
    this.#ops.push({ kind: 'gather', x: 'hidden', out: 'last' });
    this.#norm('norm.last', 'last', 'lastNormed');
    this.#linear('head', { x: 'lastNormed', out: 'logits', inputs: hidden, outputs: vocabulary });
    if (this.#isGemma) this.#ops.push({ kind: 'softCap', x: 'logits', cap: GEMMA.logitSoftCap });
    return {
      architecture: 'test',
      activationDtype: dense,
      kvDtype: dense,
      rank: 0,
      worldSize: 1,
      dims: { ...dims, maxPositions: 2048 },
      ops: this.#ops,
      weights: this.#weights,
      logits: 'logits',
    };
  }

  #layer(layer: number): void {
    const { hidden, headCount, kvHeadCount, headDim, layerCount } = this.#shape.dims;
    const [queryColumns, qkvColumns] = [headCount * headDim, (headCount + 2 * kvHeadCount) * headDim];
    this.#linear(`${layer}.qkv`, { x: 'normed', out: 'qkv', inputs: hidden, outputs: qkvColumns });
    this.#attend(layer);
    this.#linear(`${layer}.dense`, { x: 'attended', out: 'delta', inputs: queryColumns, outputs: hidden });
    const attended = this.#outputNorm(`${layer}.norm.attended`);
    this.#addThenNorm(`${layer}.norm.ffn`, attended, true);
    if (this.#shape.isMixture === true) this.#experts(layer);
    else this.#feedForward(layer);
    const gated = this.#outputNorm(`${layer}.norm.gated`);
    this.#addThenNorm(`${layer}.norm.next`, gated, layer + 1 < layerCount);
  }

  #feedForward(layer: number): void {
    const { hidden, intermediate } = this.#shape.dims;
    this.#linear(`${layer}.gateUp`, {
      x: 'normed',
      out: 'gateUp',
      inputs: hidden,
      outputs: 2 * intermediate,
    });
    this.#ops.push({ kind: this.#isGemma ? 'geglu' : 'swiglu', gateUp: 'gateUp', out: 'gated' });
    this.#linear(`${layer}.down`, { x: 'gated', out: 'delta', inputs: intermediate, outputs: hidden });
  }

  #experts(layer: number): void {
    const { hidden, intermediate } = this.#shape.dims;
    const { expertCount, expertsPerToken } = MIXTURE;
    const matrix = (name: string, rows: number, columns: number) =>
      this.#weight(`${layer}.${name}`, [expertCount * rows, columns], this.#shape.format);
    const [gateUp, down] = [
      matrix('gateUps', 2 * intermediate, hidden),
      matrix('downs', hidden, intermediate),
    ];
    const router = this.#dense(`${layer}.router`, [expertCount, hidden]);
    const shared = { routes: 'routes', expertCount } as const;
    this.#ops.push(
      { kind: 'linear', x: 'normed', weight: router, bias: null, out: 'routerLogits', outDtype: 'f32' },
      { kind: 'routeExperts', logits: 'routerLogits', expertsPerToken, isNormalised: true, out: 'routes' },
      { kind: 'expertGateUp', ...shared, x: 'normed', weight: gateUp, out: 'gated' },
      { kind: 'expertDown', ...shared, gated: 'gated', weight: down, out: 'delta' },
    );
  }

  get #isGemma(): boolean {
    return this.#shape.isGemma === true;
  }

  #attend(layer: number): void {
    const { rope, dims } = this.#shape;
    const attention = { kind: 'pagedAttention', qkv: 'qkv', layer, out: 'attended' } as const;
    if (!this.#isGemma) {
      this.#ops.push({ kind: 'ropeAppend', qkv: 'qkv', layer, rope }, attention);
      return;
    }
    const [queryWeight, keyWeight] = ['query', 'key'].map((part) =>
      this.#dense(`${layer}.norm.${part}`, [dims.headDim]),
    ) as [string, string];
    const hasWindow = layer % 2 === 0;
    this.#ops.push(
      { kind: 'headNorm', qkv: 'qkv', queryWeight, keyWeight, epsilon: EPSILON },
      {
        kind: 'ropeAppend',
        qkv: 'qkv',
        layer,
        rope: hasWindow ? { ...rope, theta: GEMMA.windowTheta } : rope,
      },
      { ...attention, softCap: GEMMA.softCap, ...(hasWindow && { window: GEMMA.window }) },
    );
  }

  /** The norm of what a block adds; returns the buffer that is added. */
  #outputNorm(name: string): string {
    if (!this.#isGemma) return 'delta';
    this.#norm(name, 'delta', 'deltaNormed');
    return 'deltaNormed';
  }

  #addThenNorm(name: string, delta: string, hasNorm: boolean): void {
    if (this.#shape.fused && hasNorm) {
      const weight = this.#dense(name, [this.#shape.dims.hidden]);
      this.#ops.push({
        kind: 'addRmsNorm',
        residual: 'hidden',
        delta,
        weight,
        epsilon: EPSILON,
        out: 'normed',
      });
      return;
    }
    this.#ops.push({ kind: 'add', residual: 'hidden', delta });
    if (hasNorm) this.#norm(name, 'hidden', 'normed');
  }

  #norm(name: string, x: string, out: string): void {
    const weight = this.#dense(name, [this.#shape.dims.hidden]);
    this.#ops.push({ kind: 'rmsNorm', x, weight, epsilon: EPSILON, out });
  }

  #linear(
    name: string,
    {
      x,
      out,
      inputs,
      outputs,
    }: { readonly x: string; readonly out: string; readonly inputs: number; readonly outputs: number },
  ): void {
    const weight = this.#weight(name, [outputs, inputs], this.#shape.format);
    const bias = this.#shape.bias ? this.#dense(`${name}.bias`, [outputs]) : null;
    const { inputBits } = this.#shape;
    const linear = { kind: 'linear', x, weight, bias, out } as const;
    if (out === 'logits') this.#ops.push({ ...linear, outDtype: 'f32' });
    else this.#ops.push({ ...linear, outDtype: 'activation', ...present({ inputBits }) });
  }

  #dense(name: string, shape: readonly number[]): string {
    return this.#weight(name, shape, { type: 'dense', dtype: this.#shape.dense });
  }

  #weight(name: string, shape: readonly number[], format: WeightFormat): string {
    this.#weights[name] = { shape, format, source: { parts: [{ tensor: name, shape, slice: null }] } };
    return name;
  }
}
