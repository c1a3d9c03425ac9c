import type { PlanDims } from '../dims.js';
import type { BufferName } from '../names.js';
import type { ElementBytes, OpCost } from './op-cost.js';
import { expectColumns, expectTokenRows, type InferContext, type OpDefinition } from './op-definition.js';

/** Parameters with which rotary embedding turns a position into angles; from config.json's rope_theta and rope_scaling. */
export type RopeScaling =
  | { readonly type: 'none' }
  | { readonly type: 'linear'; readonly factor: number }
  | { readonly type: 'dynamic'; readonly factor: number; readonly originalMaxPositions: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    };

export interface RopeParams {
  readonly theta: number;
  readonly scaling: RopeScaling;
}

/** Rotates q and k in place and stores k and v of the new tokens into the paged cache of `layer`.  qkv [tokens, (heads + 2 kvHeads) * headDim] */
export interface RopeAppendOp {
  readonly kind: 'ropeAppend';
  readonly qkv: BufferName;
  readonly layer: number;
  readonly rope: RopeParams;
}

export const ropeAppend: OpDefinition<RopeAppendOp> = {
  reads: (op) => [op.qkv],
  cache: ({ layer }) => ({ layer, access: 'append' }),
  infer(op, at) {
    expectQkv(at, op.qkv);
    return undefined;
  },
  print(op, at) {
    const { theta, scaling } = op.rope;
    return `ropeAppend(${at.buffer(op.qkv)}, layer ${op.layer}, theta ${theta}, scaling ${scaling.type})`;
  },
  cost: (_op, { step, dims, bytes }) => ropeAppendCost(step.tokenCount, dims, bytes),
};

/** Fails unless a buffer holds queries, keys and values of the step's tokens. */
export function expectQkv(at: InferContext, name: BufferName): void {
  const { headCount, kvHeadCount, headDim } = at.dims;
  expectColumns(at, name, (headCount + 2 * kvHeadCount) * headDim);
  expectTokenRows(at, name);
}

export function ropeAppendCost(tokenCount: number, dims: PlanDims, bytes: ElementBytes): OpCost {
  const { headCount, kvHeadCount, headDim } = dims;
  const rotated = tokenCount * (headCount + kvHeadCount) * headDim;
  const stored = tokenCount * 2 * kvHeadCount * headDim;
  const valuesRead = tokenCount * kvHeadCount * headDim;
  return {
    bytes: (2 * rotated + valuesRead) * bytes.activation + stored * bytes.cache,
    flops: 3 * rotated,
  };
}
