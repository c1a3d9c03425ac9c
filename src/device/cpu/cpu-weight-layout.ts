/** How weights lie in a CPU engine: linears in tiles, tables row by row, vectors as f32. */
import { AloftError } from '../../core/errors.js';
import type { HostTensor } from '../../core/tensor.js';
import { addressOf } from '../../ffi/memory.js';
import { MAX_INT8_INPUTS, type LinearFormat } from '../../ops/linear/contract.js';
import { bindPacker, type CpuPackReport, type SourceMatrix } from '../../ops/linear/cpu/cpu.js';
import { packedLinearTensors } from '../../ops/linear/cpu/packed-linear.js';
import type { PlanWeight, WeightName } from '../../plan/plan.js';
import type { PackedTensorSpec, PackReport, WeightLayout, WeightUse } from '../weight-layout.js';
import type { CpuPool } from './kernel-library.js';

/** Engines with another layout are refused. */
export const CPU_LAYOUT_VERSION = 1;

/** The CPU's layout; `pack` runs on the pool, which the caller disposes after the last weight. */
export function createCpuWeightLayout(pool: CpuPool): WeightLayout {
  const packMatrix = bindPacker(pool.library, pool.handle);
  return {
    device: 'cpu',
    version: CPU_LAYOUT_VERSION,
    specs: cpuSpecs,
    pack(source, weight, use, targets) {
      const [address, scale = 0, sum = 0] = targets.map(addressOf);
      const report = packMatrix(sourceMatrix(source, weight), {
        arrangement: use === 'linear' ? 'tiles' : 'rows',
        format: storedFormat(weight, use),
        outCount: matrixShape(weight.shape)[0],
        weight: address!,
        scale,
        sum,
      });
      return checkedReport(report, weight, source);
    },
  };
}

/** Shapes of the stored tensors. Linears: see packedLinearTensors; int8 tables have a scale per row. */
export function cpuSpecs(name: WeightName, weight: PlanWeight, use: WeightUse): readonly PackedTensorSpec[] {
  const format = storedFormat(weight, use);
  const [rows, columns] = matrixShape(weight.shape);
  if (format === 'int8' && columns > MAX_INT8_INPUTS) {
    throw new AloftError(
      'UNSUPPORTED',
      `${name} has rows of ${columns} values, but int8 weights on the CPU have at most ${MAX_INT8_INPUTS}; build without --use_weight_only.`,
    );
  }
  if (use === 'linear') {
    const tensors = packedLinearTensors(format, rows, columns);
    return tensors.map(({ suffix, dtype, shape }) => ({ name: name + suffix, dtype, shape }));
  }
  if (format !== 'int8') return [{ name, dtype: format, shape: weight.shape }];
  return [
    { name, dtype: 'i8', shape: weight.shape },
    { name: `${name}.scale`, dtype: 'f32', shape: [rows] },
  ];
}

/** Vectors are few and multiplied in f32, so they are stored so, whatever the plan says. */
function storedFormat({ format }: PlanWeight, use: WeightUse): LinearFormat {
  if (use === 'vector') return 'f32';
  return format.type === 'quantised' ? 'int8' : format.dtype;
}

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

/** @throws {AloftError} when the format cannot hold the values */
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
