import type { BufferName } from '../names.js';
import type { OpCost } from './op-cost.js';
import { expectColumns, type InferContext, type OpDefinition } from './op-definition.js';

/** residual += delta                                             [rows, hidden] */
export interface AddOp {
  readonly kind: 'add';
  readonly residual: BufferName;
  readonly delta: BufferName;
}

export const add: OpDefinition<AddOp> = {
  reads: (op) => [op.residual, op.delta],
  infer(op, at) {
    expectSameShape(at, op.residual, op.delta);
    return undefined;
  },
  print: (op, at) => `add(${at.buffer(op.residual)}, ${at.buffer(op.delta)})`,
  cost: (op, at) => addCost(at.rows(op.residual) * at.columns(op.residual), at.bytes.activation),
};

/** Fails unless `delta` can be added to `residual`. */
export function expectSameShape(at: InferContext, residual: BufferName, delta: BufferName): void {
  expectColumns(at, delta, at.buffer(residual).columns);
  if (at.buffer(delta).rows !== at.buffer(residual).rows)
    at.fail(`'${residual}' and '${delta}' differ in rows`);
}

/** @param count elements @param elementBytes of activations */
export function addCost(count: number, elementBytes: number): OpCost {
  return { bytes: 3 * count * elementBytes, flops: count };
}
