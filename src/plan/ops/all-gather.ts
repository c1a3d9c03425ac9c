import type { BufferName } from '../names.js';
import type { OpDefinition } from './op-definition.js';

/**
 * out = columns of all ranks side by side, without what pads the last ranks; made by the shard pass for the logits.
 * x [logits, ceil(columns / ranks)] -> out [logits, columns]
 */
export interface AllGatherOp {
  readonly kind: 'allGather';
  readonly x: BufferName;
  readonly out: BufferName;
  /** Kept columns: the vocabulary of the model. */
  readonly columns: number;
}

export const allGather: OpDefinition<AllGatherOp> = {
  reads: (op) => [op.x],
  isCollective: true,
  infer(op, at) {
    const { rows, columns, dtype } = at.buffer(op.x);
    if (columns * at.worldSize < op.columns)
      at.fail(`${at.worldSize} ranks of ${columns} columns are fewer than ${op.columns}`);
    return { rows, columns: op.columns, dtype };
  },
  print: (op, at) => `${at.buffer(op.out)} = allGather(${at.buffer(op.x)})`,
};
