import { BYTES_PER_ELEMENT } from '../core/dtype.js';
import type { HostTensor } from '../core/tensor.js';
import { allocateHost } from '../ffi/memory.js';
import type { PlanWeight, WeightPart } from '../plan/plan.js';
import type { TensorSource } from './checkpoint/checkpoint.js';

/**
 * Reads a weight's parts, keeps their slices, puts them one after another, and calls `use` with the result, which
 * is valid during the call only: a view of the checkpoint where nothing has to be moved, else memory freed afterwards.
 */
export function useWeight<T>(
  tensors: TensorSource,
  { source: { parts } }: PlanWeight,
  use: (tensor: HostTensor) => T,
): T {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined && first.slice?.axis !== 1)
    return use(rowsOf(tensors, first));
  const { dtype } = tensors.info(first!.tensor)!;
  const shape = joinedShape(parts);
  const area = allocateHost(shape.reduce((product, dim) => product * dim, BYTES_PER_ELEMENT[dtype!]));
  try {
    const bytes = area.bytes(0, area.byteLength);
    let end = 0;
    for (const part of parts) end = appendPart(tensors, part, bytes, end);
    return use({ dtype: dtype!, shape, bytes });
  } finally {
    area.dispose();
  }
}

function keptShape({ shape, slice }: WeightPart): readonly number[] {
  return slice === null ? shape : shape.with(slice.axis, slice.end - slice.start);
}

function joinedShape(parts: readonly WeightPart[]): readonly number[] {
  const shapes = parts.map(keptShape);
  const rows = shapes.reduce((sum, shape) => sum + shape[0]!, 0);
  return [rows, ...shapes[0]!.slice(1)];
}

/** All rows, or a range of them: contiguous, so no copy. */
function rowsOf(tensors: TensorSource, part: WeightPart): HostTensor {
  const { dtype, shape, bytes } = tensors.read(part.tensor);
  if (part.slice === null) return { dtype, shape, bytes };
  const rowBytes = shape.slice(1).reduce((product, dim) => product * dim, BYTES_PER_ELEMENT[dtype]);
  const { start, end } = part.slice;
  return { dtype, shape: keptShape(part), bytes: bytes.subarray(start * rowBytes, end * rowBytes) };
}

/** Copies the kept slice to `target` at byte `at`; returns where it ends. */
function appendPart(tensors: TensorSource, part: WeightPart, target: Uint8Array, at: number): number {
  if (part.slice?.axis !== 1) {
    const { bytes } = rowsOf(tensors, part);
    target.set(bytes, at);
    return at + bytes.length;
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
