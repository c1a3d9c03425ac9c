import type { BufferName, WeightName } from '../names.js';
import { expectSameShape } from './add.js';
import type { OpDefinition } from './op-definition.js';
import { rmsNormCost } from './rms-norm.js';

/** residual += delta; out = rmsNorm(residual)                    all [rows, hidden]; made by the fuse pass */
export interface AddRmsNormOp {
  readonly kind: 'addRmsNorm';
  readonly residual: BufferName;
  readonly delta: BufferName;
  readonly weight: WeightName;
  readonly epsilon: number;
  readonly out: BufferName;
}

export const addRmsNorm: OpDefinition<AddRmsNormOp> = {
  reads: (op) => [op.residual, op.delta],
  weights: (op) => [[op.weight, 'vector']],
  infer(op, at) {
    expectSameShape(at, op.residual, op.delta);
    const { rows, columns } = at.buffer(op.residual);
    at.weight(op.weight, [columns]);
    return { rows, columns, dtype: 'activation' };
  },
  print(op, at) {
    const inputs = `${at.buffer(op.residual)}, ${at.buffer(op.delta)}`;
    return `${at.buffer(op.out)} = addRmsNorm(${inputs}, ${at.weight(op.weight)}, epsilon ${op.epsilon})`;
  },
  cost: (op, at) =>
    rmsNormCost({
      rowCount: at.rows(op.residual),
      columnCount: at.columns(op.residual),
      hasDelta: true,
      elementBytes: at.bytes.activation,
    }),
};
