import type { BufferName, WeightName } from '../names.js';
import { expectQkv } from './rope-append.js';
import { rmsNormCost } from './rms-norm.js';
import type { OpDefinition } from './op-definition.js';

/** Each head of q and of k becomes its RMSNorm, in place.  qkv [tokens, (heads + 2 kvHeads) * headDim], weights [headDim] */
export interface HeadNormOp {
  readonly kind: 'headNorm';
  readonly qkv: BufferName;
  readonly queryWeight: WeightName;
  readonly keyWeight: WeightName;
  readonly epsilon: number;
}

export const headNorm: OpDefinition<HeadNormOp> = {
  reads: (op) => [op.qkv],
  weights: (op) => [
    [op.queryWeight, 'vector'],
    [op.keyWeight, 'vector'],
  ],
  infer(op, at) {
    expectQkv(at, op.qkv);
    for (const weight of [op.queryWeight, op.keyWeight]) at.weight(weight, [at.dims.headDim]);
    return undefined;
  },
  print(op, at) {
    const weights = `${at.weight(op.queryWeight)}, ${at.weight(op.keyWeight)}`;
    return `headNorm(${at.buffer(op.qkv)}, ${weights}, epsilon ${op.epsilon})`;
  },
  cost: (op, { dims, rows, bytes }) =>
    rmsNormCost({
      rowCount: rows(op.qkv) * (dims.headCount + dims.kvHeadCount),
      columnCount: dims.headDim,
      hasDelta: false,
      elementBytes: bytes.activation,
    }),
};
