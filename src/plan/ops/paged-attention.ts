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
}

export const pagedAttention: OpDefinition<PagedAttentionOp> = {
  reads: (op) => [op.qkv],
  cache: ({ layer }) => ({ layer, access: 'attend' }),
  infer(op, at) {
    expectQkv(at, op.qkv);
    return { rows: 'tokens', columns: at.dims.headCount * at.dims.headDim, dtype: 'activation' };
  },
  print: (op, at) => `${at.buffer(op.out)} = pagedAttention(${at.buffer(op.qkv)}, layer ${op.layer})`,
  cost: (_op, { step, dims, bytes }) => pagedAttentionCost(attentionRows(step), dims, bytes),
};

/** Work of one row of a step. */
export interface AttentionRow {
  readonly tokenCount: number;
  /** Tokens in the cache up to the row's last one. */
  readonly contextTokens: number;
}

function attentionRows({ rowCount, rowOffsets, contextLengths }: StepInput): AttentionRow[] {
  return Array.from({ length: rowCount }, (_, row) => ({
    tokenCount: rowOffsets[row + 1]! - rowOffsets[row]!,
    contextTokens: contextLengths[row]!,
  }));
}

export function pagedAttentionCost(
  rows: readonly AttentionRow[],
  { headCount, kvHeadCount, headDim }: PlanDims,
  bytes: ElementBytes,
): OpCost {
  let [pairs, queries, keys] = [0, 0, 0];
  for (const { tokenCount, contextTokens } of rows) {
    pairs += tokenCount * (contextTokens - (tokenCount - 1) / 2);
    queries += tokenCount;
    keys += contextTokens;
  }
  return {
    bytes:
      2 * queries * headCount * headDim * bytes.activation + 2 * keys * kvHeadCount * headDim * bytes.cache,
    flops: 4 * pairs * headCount * headDim,
  };
}
