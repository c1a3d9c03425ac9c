import type { BufferName } from '../names.js';
import type { OpDefinition } from './op-definition.js';
import { swiglu, swigluCost } from './swiglu.js';

/** out = gelu(gateUp[:, :inter]) * gateUp[:, inter:], GELU by tanh    gateUp [tokens, 2 * inter] -> out [tokens, inter] */
export interface GegluOp {
  readonly kind: 'geglu';
  readonly gateUp: BufferName;
  readonly out: BufferName;
}

export const geglu: OpDefinition<GegluOp> = {
  reads: (op) => [op.gateUp],
  infer: (op, at) => swiglu.infer({ ...op, kind: 'swiglu' }, at),
  print: (op, at) => `${at.buffer(op.out)} = geglu(${at.buffer(op.gateUp)})`,
  cost: (op, at) => swigluCost(at.rows(op.gateUp), at.columns(op.out), at.bytes.activation),
};
