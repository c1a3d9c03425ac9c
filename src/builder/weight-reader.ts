import { BYTES_PER_ELEMENT, type DType, tensorBytes } from '../core/dtype.js';
import { AloftError, invariant } from '../core/errors.js';
import type { HostTensor } from '../core/tensor.js';
import type { WeightData } from '../device/weight-layout.js';
import { allocateHost, type HostArea } from '../ffi/memory.js';
import type { HeadRows, PlanWeight, WeightPart } from '../plan/plan.js';
import { codeDtype, groupsOf, type QuantisedFormat, sameFormat } from '../plan/weight-format.js';
import type { TensorSource } from './checkpoint/checkpoint.js';
import { addOffset } from './offset-values.js';

/**
 * Reads a weight's parts, keeps their slices, orders the rows of heads, puts the parts one after another, and calls `use` with
 * the result, which is valid during the call only: codes where the checkpoint holds all parts in the weight's format, else
 * numbers, which are a view of the checkpoint where nothing has to be moved, else memory freed afterwards.
 */
export function useWeight<T>(tensors: TensorSource, weight: PlanWeight, use: (data: WeightData) => T): T {
  const { parts, isIdentity } = weight.source;
  const useNumbers = (tensor: HostTensor): T => use({ kind: 'dense', tensor });
  if (isIdentity) return useNumbers(identity(weight.shape[0]!));
  if (hasCodes(tensors, weight)) return useCodes(tensors, weight, use);
  const [first] = parts;
  if (parts.length === 1 && first !== undefined && isContiguous(first))
    return useNumbers(addOffset(keptRows(tensors.read(first.tensor), first), first.offset));
  const joined = new JoinedTensor(tensors.info(first!.tensor)!.dtype!, parts);
  try {
    for (const part of parts) joined.append(tensors.read(part.tensor), part);
    return useNumbers(addOffset(joined.tensor, first!.offset));
  } finally {
    joined.dispose();
  }
}

/** Whether a checkpoint holds all parts of a weight as codes in the weight's format. */
export function hasCodes(tensors: TensorSource, { source, format }: PlanWeight): boolean {
  return source.parts.every(({ tensor }) => {
    const stored = tensors.info(tensor)?.format;
    return stored !== undefined && sameFormat(stored, format);
  });
}

function useCodes<T>(
  tensors: TensorSource,
  { source: { parts }, format }: PlanWeight,
  use: (data: WeightData) => T,
): T {
  invariant(format.type === 'quantised', () => 'codes of a dense weight');
  const groupParts = parts.map((part) => inGroups(part, format));
  const codes = new JoinedTensor(codeDtype(format), parts);
  const scales = new JoinedTensor(format.scaleDtype, groupParts);
  const zeros = format.hasZeros ? new JoinedTensor('u8', groupParts) : null;
  let order: HostTensor | null = null;
  try {
    for (const [index, part] of parts.entries()) {
      const coded = tensors.readCodes!(part.tensor);
      order = commonOrder(order, coded.order, parts);
      codes.append(coded.codes, part);
      scales.append(coded.scales, groupParts[index]!);
      zeros?.append(coded.zeros!, groupParts[index]!);
    }
    return use({
      kind: 'quantised',
      codes: codes.tensor,
      scales: scales.tensor,
      zeros: zeros?.tensor ?? null,
      order,
    });
  } finally {
    for (const joined of [codes, scales, zeros]) joined?.dispose();
  }
}

/** The order of codes that are multiplied by the same inputs. @throws {AloftError} UNSUPPORTED when it is not the same */
function commonOrder(
  before: HostTensor | null,
  order: HostTensor | null,
  parts: readonly WeightPart[],
): HostTensor | null {
  if (before === null || order === null || Buffer.compare(before.bytes, order.bytes) === 0) return order;
  throw new AloftError(
    'UNSUPPORTED',
    `${parts.map(({ tensor }) => tensor).join(', ')} are multiplied at once, but their codes lie in different orders. Build with --quantization none or int8.`,
  );
}

/** The part of a tensor's scales or zeros that belongs to a part of its codes. */
function inGroups(part: WeightPart, format: QuantisedFormat): WeightPart {
  const { shape, slice } = part;
  const { group } = format;
  const ofGroups = [shape[0]!, groupsOf(format, shape[1]!)];
  if (slice?.axis !== 1) return { ...part, shape: ofGroups };
  // A scale of a whole row belongs to each part of the row.
  if (group === null) return { ...part, shape: ofGroups, slice: null };
  return {
    ...part,
    shape: ofGroups,
    slice: { axis: 1, start: slice.start / group, end: Math.ceil(slice.end / group) },
  };
}

/** Parts of tensors one after another, in memory of its own. */
class JoinedTensor {
  readonly tensor: HostTensor;
  readonly #area: HostArea;
  #end = 0;

  constructor(dtype: DType, parts: readonly WeightPart[]) {
    const shape = joinedShape(parts);
    this.#area = allocateHost(tensorBytes(dtype, shape));
    this.tensor = { dtype, shape, bytes: this.#area.bytes(0, this.#area.byteLength) };
  }

  append(tensor: HostTensor, part: WeightPart): void {
    this.#end = appendPart(tensor, part, this.tensor.bytes, this.#end);
  }

  dispose(): void {
    this.#area.dispose();
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
function keptRows({ dtype, shape, bytes }: HostTensor, part: WeightPart): HostTensor {
  if (part.slice === null) return { dtype, shape, bytes };
  const rowBytes = rowBytesOf(dtype, shape);
  const { start, end } = part.slice;
  return { dtype, shape: keptShape(part), bytes: bytes.subarray(start * rowBytes, end * rowBytes) };
}

/** Copies the kept slice to `target` at byte `at`; returns where it ends. */
function appendPart(tensor: HostTensor, part: WeightPart, target: Uint8Array, at: number): number {
  if (part.slice?.axis !== 1) {
    const kept = keptRows(tensor, part);
    if (part.headRows === undefined) target.set(kept.bytes, at);
    else appendHeads(kept, part.headRows, target.subarray(at));
    return at + kept.bytes.length;
  }
  const { dtype, shape, bytes } = tensor;
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
