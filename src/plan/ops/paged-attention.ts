import type { BufferName } from '../names.js';
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
};
