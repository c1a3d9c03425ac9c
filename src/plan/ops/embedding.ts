import type { BufferName, WeightName } from '../names.js';
import { weightBytes } from '../weight-format.js';
import type { OpCost } from './op-cost.js';
import type { OpDefinition } from './op-definition.js';

/** out[t] = scale * table[tokenIds[t]]                          table [vocab, hidden] -> out [tokens, hidden] */
export interface EmbeddingOp {
  readonly kind: 'embedding';
  readonly table: WeightName;
  /** Absent: 1. */
  readonly scale?: number;
  readonly out: BufferName;
}

export const embedding: OpDefinition<EmbeddingOp> = {
  reads: () => [],
  weights: (op) => [[op.table, 'table']],
  infer(op, at) {
    const [, hidden] = at.weight(op.table, [null, null]);
    return { rows: 'tokens', columns: hidden!, dtype: 'activation' };
  },
  print(op, at) {
    const scale = op.scale === undefined ? '' : `, scale ${op.scale}`;
    return `${at.buffer(op.out)} = embedding(${at.weight(op.table)}${scale})`;
  },
  cost(op, { step, dims, bytes, weight }) {
    const table = weightBytes(weight(op.table).format, 1, dims.hidden) / dims.hidden;
    return embeddingCost(step.tokenCount, dims.hidden, { table, activation: bytes.activation });
  },
};

/** @param bytes of an element of the table and of an activation */
export function embeddingCost(
  tokenCount: number,
  hidden: number,
  bytes: { readonly table: number; readonly activation: number },
): OpCost {
  return { bytes: tokenCount * hidden * (bytes.table + bytes.activation), flops: 0 };
}
