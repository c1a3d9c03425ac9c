import { elementCount, halfToFloat } from '../core/dtype.js';
import type { HostTensor } from '../core/tensor.js';

/** The values of a float tensor, as a copy. */
export function floatValues({ dtype, shape, bytes }: HostTensor): Float32Array {
  const count = elementCount(shape);
  const copy = Uint8Array.from(bytes).buffer;
  if (dtype === 'f32') return new Float32Array(copy, 0, count);
  const bits = new Uint16Array(copy, 0, count);
  if (dtype === 'bf16') return new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
  // Weights have millions of values and only 65536 different ones.
  const values = Float32Array.from({ length: 2 ** 16 }, (_, half) => halfToFloat(half));
  return Float32Array.from(bits, (half) => values[half]!);
}
