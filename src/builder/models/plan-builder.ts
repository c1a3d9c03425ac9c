import type {
  BufferName,
  LinearOp,
  Plan,
  PlanDims,
  PlanOp,
  PlanWeight,
  TensorSlice,
  WeightName,
  WeightPart,
} from '../../plan/plan.js';
import type { ModelDefinition, ShardRule } from './model-file.js';

/** Rows of a checkpoint tensor, which is named without its `.weight` or `.bias` ending. */
export interface SourceRows extends Pick<WeightPart, 'headRows' | 'offset'> {
  readonly tensor: string;
  readonly rows: number;
  /** Where the rows lie in a tensor that has others, too. Absent: they are all that it has. */
  readonly within?: { readonly start: number; readonly tensorRows: number };
}

export interface LinearSpec {
  /** Engine name without ending: `layers.0.attention.qkv`. */
  readonly name: string;
  readonly rule: ShardRule;
  /** Checkpoint tensors whose rows lie one after another in the weight. */
  readonly from: readonly SourceRows[];
  readonly inputs: number;
  readonly hasBias: boolean;
  readonly x: BufferName;
  readonly out: BufferName;
  readonly outDtype?: LinearOp['outDtype'];
}

/** Collects ops and weights while a model file states its layers in order. */
export class PlanBuilder {
  readonly #dtype: Plan['activationDtype'];
  readonly #ops: PlanOp[] = [];
  readonly #weights: Record<WeightName, PlanWeight> = {};
  readonly #shardRules: Record<WeightName, ShardRule> = {};

  constructor(dtype: Plan['activationDtype']) {
    this.#dtype = dtype;
  }

  op(op: PlanOp): void {
    this.#ops.push(op);
  }

  /** A weight [sum of rows, columns], or a vector [sum of rows] when `columns` is null. */
  weight(name: WeightName, rule: ShardRule, from: readonly SourceRows[], columns: number | null): WeightName {
    const shape = (rows: number) => (columns === null ? [rows] : [rows, columns]);
    const part = ({ tensor, rows, within, ...rest }: SourceRows): WeightPart => ({
      tensor,
      shape: shape(within?.tensorRows ?? rows),
      slice: within === undefined ? null : rowSlice(within.start, rows),
      ...rest,
    });
    this.#weights[name] = {
      shape: shape(from.reduce((sum, { rows }) => sum + rows, 0)),
      format: { type: 'dense', dtype: this.#dtype },
      source: { parts: from.map(part) },
    };
    this.#shardRules[name] = rule;
    return name;
  }

  /** A linear op with its weight and, where the model has one, its bias. */
  linear(spec: LinearSpec): void {
    const { name, rule, inputs, x, out, outDtype = 'activation' } = spec;
    const ending = (suffix: string) => spec.from.map((rows) => ({ ...rows, tensor: rows.tensor + suffix }));
    const weight = this.weight(`${name}.weight`, rule, ending('.weight'), inputs);
    const biasRule = rule === 'columns' ? 'firstRank' : rule;
    const bias = spec.hasBias ? this.weight(`${name}.bias`, biasRule, ending('.bias'), null) : null;
    this.op({ kind: 'linear', x, weight, bias, out, outDtype });
  }

  finish(architecture: string, dims: PlanDims, logits: BufferName): ModelDefinition {
    const plan: Plan = {
      architecture,
      activationDtype: this.#dtype,
      kvDtype: this.#dtype,
      rank: 0,
      worldSize: 1,
      dims,
      ops: this.#ops,
      weights: this.#weights,
      logits,
    };
    return { plan, shardRules: this.#shardRules };
  }
}

const rowSlice = (start: number, rows: number): TensorSlice => ({ axis: 0, start, end: start + rows });
