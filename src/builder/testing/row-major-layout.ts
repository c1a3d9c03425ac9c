import {
  bfloat16ToFloat,
  elementCount,
  floatToBfloat16,
  floatToHalf,
  halfToFloat,
} from '../../core/dtype.js';
import type { HostTensor } from '../../core/tensor.js';
import type { PackedTensorSpec, PackReport, WeightLayout } from '../../device/weight-layout.js';
import type { PlanWeight } from '../../plan/plan.js';
import { NAMED_FORMATS } from '../../plan/weight-format.js';

/** The simplest layout there is, for tests of the builder and as a reference for packing: logical order, nothing tiled. */
export const ROW_MAJOR_LAYOUT: WeightLayout = {
  device: 'cpu',
  version: 1000,
  formats: () => Object.values(NAMED_FORMATS),
  specs(name, { shape, format }) {
    if (format.type === 'dense') return [{ name, dtype: format.dtype, shape }];
    return [
      { name, dtype: 'i8', shape },
      { name: `${name}.scale`, dtype: 'f32', shape: [shape[0]!] },
    ] satisfies PackedTensorSpec[];
  },
  pack(source, weight, _use, targets) {
    if (source.kind === 'quantised') throw new Error('This layout quantises itself.');
    const values = floatsOf(source.tensor);
    return weight.format.type === 'dense'
      ? packDense(values, weight.format.dtype, targets[0]!)
      : packInt8(values, weight, targets);
  },
};

/** The values of a float tensor. */
export function floatsOf({ dtype, shape, bytes }: HostTensor): Float32Array {
  const count = elementCount(shape);
  if (dtype === 'f32') return new Float32Array(bytes.slice().buffer, 0, count);
  const bits = new Uint16Array(bytes.slice().buffer, 0, count);
  return Float32Array.from(bits, dtype === 'f16' ? halfToFloat : bfloat16ToFloat);
}

/** Row-major bytes of `values` in a float type. */
export function bytesOfFloats(values: Float32Array, dtype: 'f32' | 'f16' | 'bf16'): Uint8Array {
  const typed =
    dtype === 'f32'
      ? values.slice()
      : Uint16Array.from(values, dtype === 'f16' ? floatToHalf : floatToBfloat16);
  return new Uint8Array(typed.buffer);
}

function packDense(values: Float32Array, dtype: 'f32' | 'f16' | 'bf16', target: Uint8Array): PackReport {
  const bytes = bytesOfFloats(values, dtype);
  target.set(bytes);
  const stored = floatsOf({ dtype, shape: [values.length], bytes });
  return errorOf(values, (index) => stored[index]!);
}

function packInt8(values: Float32Array, { shape }: PlanWeight, targets: readonly Uint8Array[]): PackReport {
  const [rows, columns] = [shape[0]!, shape[1]!];
  const quantised = new Int8Array(rows * columns);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows && row * columns < values.length; row++) {
    const line = values.subarray(row * columns, (row + 1) * columns);
    scales[row] = line.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 127;
    for (const [column, value] of line.entries())
      quantised[row * columns + column] = scales[row] === 0 ? 0 : Math.round(value / scales[row]!);
  }
  targets[0]!.set(new Uint8Array(quantised.buffer));
  targets[1]!.set(new Uint8Array(scales.buffer));
  return errorOf(values, (index) => quantised[index]! * scales[Math.floor(index / columns)]!);
}

function errorOf(values: Float32Array, stored: (index: number) => number): PackReport {
  let [squaredError, squaredSum] = [0, 0];
  for (const [index, value] of values.entries()) {
    squaredError += (value - stored(index)) ** 2;
    squaredSum += value ** 2;
  }
  return { squaredError, squaredSum };
}
