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
    }
  | {
      readonly type: 'yarn';
      readonly factor: number;
      readonly originalMaxPositions: number;
      /** Turns within the original positions above which a pair keeps its frequency, and below which it is divided. */
      readonly betaFast: number;
      readonly betaSlow: number;
      /** Whether the pairs at which the blend begins and ends are rounded to whole ones. */
      readonly isTruncated: boolean;
      /** Factor of all cosines and sines. */
      readonly attentionFactor: number;
    }
  | {
      readonly type: 'longrope';
      /** Divisors of the frequencies of sequences up to the original positions, and of longer ones: one a pair. */
      readonly shortFactors: readonly number[];
      readonly longFactors: readonly number[];
      readonly originalMaxPositions: number;
      readonly attentionFactor: number;
    };

export interface RopeParams {
  readonly theta: number;
  readonly scaling: RopeScaling;
  /** Dimensions of a head that are rotated: pairs (i, i + headDim / 2) for i below half of it. Absent: all of them. */
  readonly rotaryDim?: number;
  /** Factor of all scores beside 1 / sqrt(headDim): queries and keys get its root as they are rotated. Absent: 1. */
  readonly scoreScale?: number;
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
    const { theta, scaling, rotaryDim } = op.rope;
    const dims = rotaryDim === undefined ? '' : `, ${rotaryDim} dimensions`;
    return `ropeAppend(${at.buffer(op.qkv)}, layer ${op.layer}, theta ${theta}, scaling ${scaling.type}${dims})`;
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
