/** The matrices that weights are packed from, and what packing found in them; the same for every device. */
import { AloftError } from '../core/errors.js';
import type { HostTensor } from '../core/tensor.js';
import { addressOf } from '../ffi/memory.js';
import type { CpuPackReport, SourceCodes, SourceMatrix } from '../ops/linear/cpu/cpu.js';
import type { PlanWeight } from '../plan/plan.js';
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

/** The address of codes and scales that are one f32 a row. @throws {AloftError} TENSOR_MISMATCH */
export function sourceCodes(
  { codes, scales }: Extract<WeightData, { kind: 'quantised' }>,
  weight: PlanWeight,
): SourceCodes {
  const [rowCount, columnCount] = matrixShape(codes.shape);
  if (codes.dtype !== 'i8' || scales.dtype !== 'f32' || scales.bytes.length !== 4 * rowCount) {
    throw new AloftError(
      'TENSOR_MISMATCH',
      `Checkpoint tensor ${tensorNames(weight)} has codes of ${codes.dtype} and scales of ${scales.dtype} [${scales.shape.join(', ')}]; int8 with one f32 scale for each of ${rowCount} rows is needed.`,
    );
  }
  return { codes: addressOf(codes.bytes), scales: addressOf(scales.bytes), rowCount, columnCount };
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
      `Checkpoint tensor ${tensorNames(weight)} (${source.dtype}) has ${overflowCount} values beyond the range of float16; build with --dtype bfloat16 or float32.`,
    );
  }
  return { squaredError, squaredSum };
}

function tensorNames({ source }: PlanWeight): string {
  return source.parts.map(({ tensor }) => tensor).join(' + ');
}
