import { elementCount, halfToFloat } from '../core/dtype.js';
import type { HostTensor } from '../core/tensor.js';

/** Weights have millions of 16-bit values and only 65536 different ones. */
const HALF_VALUES = Float32Array.from({ length: 2 ** 16 }, (_, half) => halfToFloat(half));

/** The values of a float tensor, as a copy. Plain loops: a call for each value takes fifty times as long. */
export function floatValues({ dtype, shape, bytes }: HostTensor): Float32Array {
  const count = elementCount(shape);
  const copy = Uint8Array.from(bytes).buffer;
  if (dtype === 'f32') return new Float32Array(copy, 0, count);
  const bits = new Uint16Array(copy, 0, count);
  const values = new Float32Array(count);
  if (dtype === 'bf16') {
    const words = new Uint32Array(values.buffer);
    for (let i = 0; i < count; i++) words[i] = bits[i]! << 16;
  } else {
    for (let i = 0; i < count; i++) values[i] = HALF_VALUES[bits[i]!]!;
  }
  return values;
}
