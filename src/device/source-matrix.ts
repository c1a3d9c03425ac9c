/** The matrices that weights are packed from, and what packing found in them; the same for every device. */
import { BYTES_PER_ELEMENT, type DType } from '../core/dtype.js';
import { AloftError, invariant } from '../core/errors.js';
import type { HostTensor } from '../core/tensor.js';
import { addressOf, allocateHost } from '../ffi/memory.js';
import type { CpuPackReport, GroupQuantiser, SourceCodes, SourceMatrix } from '../ops/linear/cpu/cpu.js';
import type { PlanWeight } from '../plan/plan.js';
import { codeDtype, formatText, groupsOf, hasOrder, isQuantised } from '../plan/weight-format.js';
import type { PackReport, WeightData } from './weight-layout.js';

/** Rows and columns; a vector is one row. */
export function matrixShape(shape: readonly number[]): readonly [number, number] {
  return shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!];
}

export function sourceMatrix({ dtype, shape, bytes }: HostTensor, weight: PlanWeight): SourceMatrix {
  if (dtype !== 'f32' && dtype !== 'f16' && dtype !== 'bf16') {
    throw new AloftError(
      'TENSOR_MISMATCH',
      `Checkpoint tensor ${tensorNames(weight)} is ${dtype}; supported are f32, f16 and bf16.`,
    );
  }
  const [rowCount, columnCount] = matrixShape(shape);
  return { dtype, address: addressOf(bytes), rowCount, columnCount };
}

/**
 * The addresses of codes and of what belongs to them, after a check that they have the types and shapes of the weight's format.
 * @throws {AloftError} TENSOR_MISMATCH
 */
export function sourceCodes(
  { codes, scales, zeros, order }: Extract<WeightData, { kind: 'quantised' }>,
  weight: PlanWeight,
): SourceCodes {
  const { format } = weight;
  invariant(format.type === 'quantised', () => `codes for ${formatText(format)}`);
  const [rowCount, columnCount] = matrixShape(codes.shape);
  const count = rowCount * groupsOf(format, columnCount);
  const fits =
    isTensor(codes, codeDtype(format), rowCount * columnCount) &&
    isTensor(scales, format.scaleDtype, count) &&
    (format.hasZeros ? zeros !== null && isTensor(zeros, 'u8', count) : zeros === null) &&
    (hasOrder(format) ? order !== null && isTensor(order, 'i32', columnCount) : order === null);
  if (!fits) {
    const found = [codes, scales, ...(zeros === null ? [] : [zeros])];
    const list = found.map(({ dtype, shape }) => `${dtype} [${shape.join(', ')}]`).join(', ');
    throw new AloftError(
      'TENSOR_MISMATCH',
      `Checkpoint tensor ${tensorNames(weight)} has codes, scales and zeros of ${list}; ${formatText(format)} needs ${codeDtype(format)} codes with ${count} scales of ${format.scaleDtype}${format.hasZeros ? ` and ${count} zeros of u8` : ''}.`,
    );
  }
  const addresses = { codes: addressOf(codes.bytes), scales: addressOf(scales.bytes) };
  const addressOrNone = (tensor: HostTensor | null): number =>
    tensor === null ? 0 : addressOf(tensor.bytes);
  return { ...addresses, zeros: addressOrNone(zeros), order: addressOrNone(order), rowCount, columnCount };
}

const isTensor = (tensor: HostTensor, dtype: DType, count: number): boolean =>
  tensor.dtype === dtype && tensor.bytes.length === count * BYTES_PER_ELEMENT[dtype];

/**
 * Calls `use` with the codes of a weight in groups: those of the checkpoint, or else its numbers quantised, in memory that is
 * freed afterwards.
 * @throws {AloftError} as {@link sourceCodes} and {@link checkedReport}
 */
export function useGroupedCodes(
  source: WeightData,
  weight: PlanWeight,
  quantise: GroupQuantiser,
  use: (codes: SourceCodes) => void,
): PackReport {
  if (source.kind === 'quantised') {
    use(sourceCodes(source, weight));
    return NOTHING_LOST;
  }
  const { format } = weight;
  const isOwn = isQuantised(format) && format.group !== null && !hasOrder(format);
  invariant(isOwn, () => `numbers quantised to ${formatText(format)}`);
  const matrix = sourceMatrix(source.tensor, weight);
  const { rowCount, columnCount } = matrix;
  const count = rowCount * groupsOf(format, columnCount);
  const sizes = [rowCount * columnCount, count * 2, format.hasZeros ? count : 0];
  const areas = sizes.map((size) => (size === 0 ? undefined : allocateHost(size)));
  try {
    const [codes = 0, scales = 0, zeros = 0] = areas.map((area) => area?.address);
    const report = quantise(matrix, format.group, { codes, scales, zeros });
    use({ codes, scales, zeros, order: 0, rowCount, columnCount });
    return checkedReport(report, weight, source.tensor);
  } finally {
    for (const area of areas) area?.dispose();
  }
}

/** Codes lose nothing when they are arranged. */
export const NOTHING_LOST: PackReport = { squaredError: 0, squaredSum: 0 };

/** @throws {AloftError} CHECKPOINT_CORRUPT, TENSOR_MISMATCH when the format cannot hold the values */
export function checkedReport(report: CpuPackReport, weight: PlanWeight, source: HostTensor): PackReport {
  const { squaredError, squaredSum, overflowCount, nonFiniteCount } = report;
  if (nonFiniteCount > 0) {
    throw new AloftError(
      'CHECKPOINT_CORRUPT',
      `Checkpoint tensor ${tensorNames(weight)} has ${nonFiniteCount} values that are infinite or not numbers; fetch the checkpoint again.`,
    );
  }
  if (overflowCount > 0) {
    throw new AloftError(
      'TENSOR_MISMATCH',
      `Checkpoint tensor ${tensorNames(weight)} (${source.dtype}) has ${overflowCount} values beyond the range of float16; build with --dtype bfloat16 or float32${weight.format.type === 'dense' ? '' : ', not quantised'}.`,
    );
  }
  return { squaredError, squaredSum };
}

function tensorNames({ source }: PlanWeight): string {
  return source.parts.map(({ tensor }) => tensor).join(' + ');
}
