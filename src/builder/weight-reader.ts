import { BYTES_PER_ELEMENT, type DType } from '../core/dtype.js';
import type { HostTensor } from '../core/tensor.js';
import { allocateHost } from '../ffi/memory.js';
import type { HeadRows, PlanWeight, WeightPart } from '../plan/plan.js';
import type { TensorSource } from './checkpoint/checkpoint.js';
import { addOffset } from './offset-values.js';

/**
 * Reads a weight's parts, keeps their slices, orders the rows of heads, puts the parts one after another, and calls `use` with
 * the result, which is valid during the call only: a view of the checkpoint where nothing has to be moved, else memory freed
 * afterwards.
 */
export function useWeight<T>(
  tensors: TensorSource,
  { source: { parts, isIdentity }, shape: wanted }: PlanWeight,
  use: (tensor: HostTensor) => T,
): T {
  if (isIdentity) return use(identity(wanted[0]!));
  const [first] = parts;
  if (parts.length === 1 && first !== undefined && isContiguous(first))
    return use(addOffset(rowsOf(tensors, first), first.offset));
  const { dtype } = tensors.info(first!.tensor)!;
  const shape = joinedShape(parts);
  const area = allocateHost(shape.reduce((product, dim) => product * dim, BYTES_PER_ELEMENT[dtype!]));
  try {
    const bytes = area.bytes(0, area.byteLength);
    let end = 0;
    for (const part of parts) end = appendPart(tensors, part, bytes, end);
    return use(addOffset({ dtype: dtype!, shape, bytes }, first!.offset));
  } finally {
    area.dispose();
  }
}

function identity(size: number): HostTensor {
  const values = new Float32Array(size * size);
  for (let row = 0; row < size; row++) values[row * size + row] = 1;
  return { dtype: 'f32', shape: [size, size], bytes: new Uint8Array(values.buffer) };
}

const isContiguous = ({ slice, headRows }: WeightPart): boolean =>
  slice?.axis !== 1 && headRows === undefined;

function keptShape({ shape, slice }: WeightPart): readonly number[] {
  return slice === null ? shape : shape.with(slice.axis, slice.end - slice.start);
}

function joinedShape(parts: readonly WeightPart[]): readonly number[] {
  const shapes = parts.map(keptShape);
  const rows = shapes.reduce((sum, shape) => sum + shape[0]!, 0);
  return [rows, ...shapes[0]!.slice(1)];
}

const rowBytesOf = (dtype: DType, shape: readonly number[]): number =>
  shape.slice(1).reduce((product, dim) => product * dim, BYTES_PER_ELEMENT[dtype]);

/** All rows, or a range of them: contiguous, so no copy. */
function rowsOf(tensors: TensorSource, part: WeightPart): HostTensor {
  const { dtype, shape, bytes } = tensors.read(part.tensor);
  if (part.slice === null) return { dtype, shape, bytes };
  const rowBytes = rowBytesOf(dtype, shape);
  const { start, end } = part.slice;
  return { dtype, shape: keptShape(part), bytes: bytes.subarray(start * rowBytes, end * rowBytes) };
}

/** Copies the kept slice to `target` at byte `at`; returns where it ends. */
function appendPart(tensors: TensorSource, part: WeightPart, target: Uint8Array, at: number): number {
  if (part.slice?.axis !== 1) {
    const kept = rowsOf(tensors, part);
    if (part.headRows === undefined) target.set(kept.bytes, at);
    else appendHeads(kept, part.headRows, target.subarray(at));
    return at + kept.bytes.length;
  }
  const { dtype, shape, bytes } = tensors.read(part.tensor);
  const [elementBytes, rowBytes] = [BYTES_PER_ELEMENT[dtype], BYTES_PER_ELEMENT[dtype] * shape[1]!];
  const [start, end] = [part.slice.start * elementBytes, part.slice.end * elementBytes];
  for (let row = 0; row < shape[0]!; row++) {
    target.set(bytes.subarray(row * rowBytes + start, row * rowBytes + end), at);
    at += end - start;
  }
  return at;
}

/** Copies whole heads with their rows in the order of rotations. */
function appendHeads({ dtype, shape, bytes }: HostTensor, headRows: HeadRows, target: Uint8Array): void {
  const rowBytes = rowBytesOf(dtype, shape);
  const order = rowOrder(headRows);
  for (let row = 0; row < shape[0]!; row++) {
    const within = row % headRows.headDim;
    const from = (row - within + order[within]!) * rowBytes;
    target.set(bytes.subarray(from, from + rowBytes), row * rowBytes);
  }
}

/**
 * The checkpoint's row of each row of a head in the builder's order, where rows i and i + headDim / 2 turn together: first the
 * pairs that are rotated, then the rows that are not.
 */
function rowOrder({ headDim, rotaryDim, isInterleaved }: HeadRows): readonly number[] {
  const order = Array.from({ length: headDim }, () => 0);
  for (let pair = 0; pair < headDim / 2; pair++) {
    const isRotated = pair < rotaryDim / 2;
    const first = isRotated && !isInterleaved ? pair : 2 * pair;
    order[pair] = first;
    order[pair + headDim / 2] = isRotated && !isInterleaved ? pair + rotaryDim / 2 : first + 1;
  }
  return order;
}
