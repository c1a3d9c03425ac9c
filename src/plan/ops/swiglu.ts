import type { BufferName } from '../names.js';
import type { OpCost } from './op-cost.js';
import type { OpDefinition } from './op-definition.js';

/** out = silu(gateUp[:, :inter]) * gateUp[:, inter:]               gateUp [tokens, 2 * inter] -> out [tokens, inter] */
export interface SwigluOp {
  readonly kind: 'swiglu';
  readonly gateUp: BufferName;
  readonly out: BufferName;
}

export const swiglu: OpDefinition<SwigluOp> = {
  reads: (op) => [op.gateUp],
  infer(op, at) {
    const { rows, columns } = at.buffer(op.gateUp);
    if (columns % 2 !== 0) at.fail(`buffer '${op.gateUp}' has an odd number of columns`);
    return { rows, columns: columns / 2, dtype: 'activation' };
  },
  print: (op, at) => `${at.buffer(op.out)} = swiglu(${at.buffer(op.gateUp)})`,
  cost: (op, at) => swigluCost(at.rows(op.gateUp), at.columns(op.out), at.bytes.activation),
};

/** @param elementBytes of activations. An exponential counts as ten operations. */
export function swigluCost(rowCount: number, inter: number, elementBytes: number): OpCost {
  return { bytes: 3 * rowCount * inter * elementBytes, flops: 14 * rowCount * inter };
}
