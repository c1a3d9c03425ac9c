import type { BufferName } from '../names.js';
import type { OpCost } from './op-cost.js';
import { expectTokenRows, type OpDefinition } from './op-definition.js';

/** out[i] = x[logitTokens[i]]                                     x [tokens, hidden] -> out [logits, hidden] */
export interface GatherOp {
  readonly kind: 'gather';
  readonly x: BufferName;
  readonly out: BufferName;
}

export const gather: OpDefinition<GatherOp> = {
  reads: (op) => [op.x],
  infer(op, at) {
    expectTokenRows(at, op.x);
    const { columns, dtype } = at.buffer(op.x);
    return { rows: 'logits', columns, dtype };
  },
  print: (op, at) => `${at.buffer(op.out)} = gather(${at.buffer(op.x)})`,
  cost: (op, { step, columns, bytes }) => gatherCost(step.logitCount, columns(op.x), bytes.activation),
};

/** @param elementBytes of activations */
export function gatherCost(count: number, columns: number, elementBytes: number): OpCost {
  return { bytes: count * (2 * columns * elementBytes + 4), flops: 0 };
}
