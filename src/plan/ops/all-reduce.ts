import type { BufferName } from '../names.js';
import type { OpDefinition } from './op-definition.js';

/** x = sum over ranks of x; made by the shard pass. */
export interface AllReduceOp {
  readonly kind: 'allReduce';
  readonly x: BufferName;
}

export const allReduce: OpDefinition<AllReduceOp> = {
  reads: (op) => [op.x],
  isCollective: true,
  infer: () => undefined,
  print: (op, at) => `allReduce(${at.buffer(op.x)})`,
};
