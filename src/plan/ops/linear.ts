import type { BufferName, WeightName } from '../names.js';
import type { OpDefinition, ValueShape, WeightUse } from './op-definition.js';

/** out = x · weightᵀ (+ bias)                                    x [rows, in], weight [outFeatures, in] -> out [rows, outFeatures] */
export interface LinearOp {
  readonly kind: 'linear';
  readonly x: BufferName;
  readonly weight: WeightName;
  readonly bias: WeightName | null;
  readonly out: BufferName;
  /** Logits are f32 whatever the activations are. */
  readonly outDtype: ValueShape['dtype'];
}

export const linear: OpDefinition<LinearOp> = {
  reads: (op) => [op.x],
  weights({ weight, bias }) {
    const matrix: WeightUse = [weight, 'linear'];
    return bias === null ? [matrix] : [matrix, [bias, 'vector']];
  },
  infer(op, at) {
    const { rows, columns } = at.buffer(op.x);
    const [outFeatures] = at.weight(op.weight, [null, columns]);
    if (op.bias !== null) at.weight(op.bias, [outFeatures!]);
    return { rows, columns: outFeatures!, dtype: op.outDtype };
  },
  print(op, at) {
    const bias = op.bias === null ? '' : `, bias ${op.bias}`;
    return `${at.buffer(op.out)} ${op.outDtype} = linear(${at.buffer(op.x)}, ${at.weight(op.weight)}${bias})`;
  },
};
