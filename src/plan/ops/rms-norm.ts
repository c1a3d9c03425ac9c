import type { BufferName, WeightName } from '../names.js';
import type { OpCost } from './op-cost.js';
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
  cost: (op, at) =>
    rmsNormCost({
      rowCount: at.rows(op.x),
      columnCount: at.columns(op.x),
      hasDelta: false,
      elementBytes: at.bytes.activation,
    }),
};

export interface RmsNormSize {
  readonly rowCount: number;
  readonly columnCount: number;
  readonly hasDelta: boolean;
  /** Bytes of an activation. */
  readonly elementBytes: number;
}

export function rmsNormCost({ rowCount, columnCount, hasDelta, elementBytes }: RmsNormSize): OpCost {
  const passes = hasDelta ? 4 : 2; // x and delta in, x and out back; or x in and out back
  const count = rowCount * columnCount;
  return { bytes: passes * count * elementBytes + 4 * columnCount, flops: (hasDelta ? 5 : 4) * count };
}
