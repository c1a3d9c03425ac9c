import type { BufferName, WeightName } from '../names.js';
import type { OpDefinition } from './op-definition.js';

/** out = x / rms(x) * weight                                    x, out [rows, hidden], weight [hidden] */
export interface RmsNormOp {
  readonly kind: 'rmsNorm';
  readonly x: BufferName;
  readonly weight: WeightName;
  readonly epsilon: number;
  readonly out: BufferName;
}

export const rmsNorm: OpDefinition<RmsNormOp> = {
  reads: (op) => [op.x],
  weights: (op) => [[op.weight, 'vector']],
  infer(op, at) {
    const { rows, columns } = at.buffer(op.x);
    at.weight(op.weight, [columns]);
    return { rows, columns, dtype: 'activation' };
  },
  print: (op, at) =>
    `${at.buffer(op.out)} = rmsNorm(${at.buffer(op.x)}, ${at.weight(op.weight)}, epsilon ${op.epsilon})`,
};
