import { bfloat16ToFloat, halfToFloat } from '../core/dtype.js';
import type { HostTensor } from '../core/tensor.js';

/** The values plus an offset, in f32; the tensor itself without one. For vectors: it takes a value at a time. */
export function addOffset(tensor: HostTensor, offset: number | undefined): HostTensor {
  if (offset === undefined) return tensor;
  const { dtype, shape, bytes } = tensor;
  const copy = Uint8Array.from(bytes).buffer;
  const values =
    dtype === 'f32'
      ? new Float32Array(copy)
      : Float32Array.from(new Uint16Array(copy), dtype === 'f16' ? halfToFloat : bfloat16ToFloat);
  const sums = values.map((value) => value + offset);
  return { dtype: 'f32', shape, bytes: new Uint8Array(sums.buffer) };
}
