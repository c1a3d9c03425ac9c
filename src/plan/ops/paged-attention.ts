import type { StepInput } from '../../core/step.js';
import type { PlanDims } from '../dims.js';
import type { BufferName } from '../names.js';
import type { ElementBytes, OpCost } from './op-cost.js';
import type { OpDefinition } from './op-definition.js';
import { expectQkv } from './rope-append.js';

/** Causal attention of the new tokens over the paged cache of `layer`.  q part of qkv -> out [tokens, heads * headDim] */
export interface PagedAttentionOp {
  readonly kind: 'pagedAttention';
  readonly qkv: BufferName;
  readonly layer: number;
  readonly out: BufferName;
  /** Number of the newest tokens that a token sees, itself among them. Absent: it sees all up to itself. */
  readonly window?: number;
  /** Scores s become softCap * tanh(s / softCap). Absent: they stay. */
  readonly softCap?: number;
}

/** Changes of a token's scores. */
export type AttentionScores = Pick<PagedAttentionOp, 'window' | 'softCap'>;

export const pagedAttention: OpDefinition<PagedAttentionOp> = {
  reads: (op) => [op.qkv],
  cache: ({ layer }) => ({ layer, access: 'attend' }),
  infer(op, at) {
    expectQkv(at, op.qkv);
    return { rows: 'tokens', columns: at.dims.headCount * at.dims.headDim, dtype: 'activation' };
  },
  print(op, at) {
    const window = op.window === undefined ? '' : `, window ${op.window}`;
    const softCap = op.softCap === undefined ? '' : `, soft cap ${op.softCap}`;
    return `${at.buffer(op.out)} = pagedAttention(${at.buffer(op.qkv)}, layer ${op.layer}${window}${softCap})`;
  },
  cost: ({ window }, { step, dims, bytes }) => pagedAttentionCost(attentionRows(step, window), dims, bytes),
};

/** Work of one row of a step. */
export interface AttentionRow {
  readonly tokenCount: number;
  /** Tokens in the cache up to the row's last one. */
  readonly contextTokens: number;
  /** Most tokens that one of them sees. Absent: all up to itself. */
  readonly window?: number | undefined;
}

function attentionRows(
  { rowCount, rowOffsets, contextLengths }: StepInput,
  window: number | undefined,
): AttentionRow[] {
  return Array.from({ length: rowCount }, (_, row) => ({
    tokenCount: rowOffsets[row + 1]! - rowOffsets[row]!,
    contextTokens: contextLengths[row]!,
    window,
  }));
}

export function pagedAttentionCost(
  rows: readonly AttentionRow[],
  { headCount, kvHeadCount, headDim }: PlanDims,
  bytes: ElementBytes,
): OpCost {
  let [pairs, queries, keys] = [0, 0, 0];
  for (const { tokenCount, contextTokens, window = Infinity } of rows) {
    pairs += tokenCount * Math.min(window, contextTokens - (tokenCount - 1) / 2);
    queries += tokenCount;
    keys += Math.min(contextTokens, window + tokenCount - 1);
  }
  return {
    bytes:
      2 * queries * headCount * headDim * bytes.activation + 2 * keys * kvHeadCount * headDim * bytes.cache,
    flops: 4 * pairs * headCount * headDim,
  };
}
