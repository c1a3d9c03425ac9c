import type { BufferName } from '../names.js';
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
};
