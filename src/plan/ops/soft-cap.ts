import type { BufferName } from '../names.js';
import type { OpCost } from './op-cost.js';
import type { OpDefinition } from './op-definition.js';

/** x = cap * tanh(x / cap), in place                              x [rows, columns] f32 */
export interface SoftCapOp {
  readonly kind: 'softCap';
  readonly x: BufferName;
  readonly cap: number;
}

export const softCap: OpDefinition<SoftCapOp> = {
  reads: (op) => [op.x],
  infer(op, at) {
    if (at.buffer(op.x).dtype !== 'f32') at.fail(`buffer '${op.x}' must be f32`);
    return undefined;
  },
  print: (op, at) => `softCap(${at.buffer(op.x)}, ${op.cap})`,
  cost: (op, at) => softCapCost(at.rows(op.x) * at.columns(op.x)),
};

/** @param count elements. An exponential counts as ten operations. */
function softCapCost(count: number): OpCost {
  return { bytes: 2 * 4 * count, flops: 14 * count };
}
