import type { BufferName } from '../names.js';
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
};

/** Fails unless `delta` can be added to `residual`. */
export function expectSameShape(at: InferContext, residual: BufferName, delta: BufferName): void {
  expectColumns(at, delta, at.buffer(residual).columns);
  if (at.buffer(delta).rows !== at.buffer(residual).rows)
    at.fail(`'${residual}' and '${delta}' differ in rows`);
}
