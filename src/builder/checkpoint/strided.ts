/** A tensor inside a storage; offset and strides count elements. */
export interface StridedTensor {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly elementBytes: number;
}

/** The tensor's elements in row-major order: a view where they lie so already, a copy otherwise; undefined when they leave the storage. */
export function rowMajorBytes(storage: Uint8Array, tensor: StridedTensor): Uint8Array | undefined {
  const { shape, strides, offset, elementBytes } = tensor;
  const elements = shape.reduce((product, dim) => product * dim, 1);
  if (elements === 0) return new Uint8Array(0);
  const last = shape.reduce((sum, dim, axis) => sum + (dim - 1) * strides[axis]!, offset);
  if ((last + 1) * elementBytes > storage.length) return undefined;
  if (isRowMajor(shape, strides))
    return storage.subarray(offset * elementBytes, (offset + elements) * elementBytes);
  const out = new Uint8Array(elements * elementBytes);
  copyAxis(storage, out, tensor, { axis: 0, from: offset, to: 0 });
  return out;
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

interface CopyCursor {
  readonly axis: number;
  /** Element index in the storage. */
  readonly from: number;
  /** Element index in the result. */
  readonly to: number;
}

/** Copies everything below `axis`; returns the element index after the last one written. */
function copyAxis(storage: Uint8Array, out: Uint8Array, tensor: StridedTensor, cursor: CopyCursor): number {
  const { shape, strides, elementBytes } = tensor;
  const { axis, from } = cursor;
  let to = cursor.to;
  if (axis === shape.length) {
    for (let i = 0; i < elementBytes; i++) out[to * elementBytes + i] = storage[from * elementBytes + i]!;
    return to + 1;
  }
  for (let index = 0; index < shape[axis]!; index++)
    to = copyAxis(storage, out, tensor, { axis: axis + 1, from: from + index * strides[axis]!, to });
  return to;
}
