import type { BufferName, WeightName } from '../names.js';
import type { OpDefinition } from './op-definition.js';

/** out[t] = table[tokenIds[t]]                                  table [vocab, hidden] -> out [tokens, hidden] */
export interface EmbeddingOp {
  readonly kind: 'embedding';
  readonly table: WeightName;
  readonly out: BufferName;
}

export const embedding: OpDefinition<EmbeddingOp> = {
  reads: () => [],
  weights: (op) => [[op.table, 'table']],
  infer(op, at) {
    const [, hidden] = at.weight(op.table, [null, null]);
    return { rows: 'tokens', columns: hidden!, dtype: 'activation' };
  },
  print: (op, at) => `${at.buffer(op.out)} = embedding(${at.weight(op.table)})`,
};
