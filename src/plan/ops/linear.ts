import type { BufferName, WeightName } from '../names.js';
import { weightBytes, type WeightFormat } from '../weight-format.js';
import type { OpCost } from './op-cost.js';
import type { OpDefinition, ValueShape, WeightReference } from './op-definition.js';

/** out = x · weightᵀ (+ bias)                                    x [rows, in], weight [outFeatures, in] -> out [rows, outFeatures] */
export interface LinearOp {
  readonly kind: 'linear';
  readonly x: BufferName;
  readonly weight: WeightName;
  readonly bias: WeightName | null;
  readonly out: BufferName;
  /**
   * Rows of x may be rounded to numbers of this many bits, integers for int8 weights and E4M3 for fp8, with a scale for each
   * row, in steps of many rows, where that is faster. Absent: x is taken as it is.
   */
  readonly inputBits?: 8;
  /** Logits are f32 whatever the activations are. */
  readonly outDtype: ValueShape['dtype'];
}

export const linear: OpDefinition<LinearOp> = {
  reads: (op) => [op.x],
  weights({ weight, bias }) {
    const matrix: WeightReference = [weight, 'linear'];
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
    const inputs = op.inputBits === undefined ? '' : `, inputs of ${op.inputBits} bits`;
    return `${at.buffer(op.out)} ${op.outDtype} = linear(${at.buffer(op.x)}, ${at.weight(op.weight)}${bias}${inputs})`;
  },
  cost(op, at) {
    const { shape, format } = at.weight(op.weight);
    return linearCost({
      tokenCount: at.rows(op.x),
      inCount: shape[1]!,
      outCount: shape[0]!,
      format,
      activationBytes: at.bytes.activation,
    });
  },
};

export interface LinearSize {
  readonly tokenCount: number;
  readonly inCount: number;
  readonly outCount: number;
  readonly format: WeightFormat;
  /** Bytes of an activation. */
  readonly activationBytes: number;
}

export function linearCost({ tokenCount, inCount, outCount, format, activationBytes }: LinearSize): OpCost {
  const activations = tokenCount * (inCount + outCount);
  return {
    bytes: weightBytes(format, outCount, inCount) + activations * activationBytes,
    flops: 2 * tokenCount * inCount * outCount,
  };
}
