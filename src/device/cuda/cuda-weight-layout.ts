/** How a CUDA device wants weights: dense in 16 bits, row by row; int8 linears in tiles that are matrix operands as they lie. */
import { AloftError } from '../../core/errors.js';
import { addressOf, allocateHost } from '../../ffi/memory.js';
import { bindPacker } from '../../ops/linear/cpu/cpu.js';
import { bindTiler, tileShape } from '../../ops/linear/cuda/tiles.js';
import type { PlanWeight, WeightName } from '../../plan/plan.js';
import { checkedReport, matrixShape, sourceMatrix } from '../cpu/cpu-weight-layout.js';
import type { CpuPool } from '../cpu/kernel-library.js';
import type { PackedTensorSpec, WeightLayout, WeightUse } from '../weight-layout.js';

/** Layout of the weights and of what the kernels in an engine read. Engines with another one are refused. */
export const CUDA_LAYOUT_VERSION = 4;

/** The CUDA layout; `pack` runs on the CPU's pool, which the caller disposes after the last weight. */
export function createCudaWeightLayout(pool: CpuPool): WeightLayout {
  const packRows = bindPacker(pool.library, pool.handle);
  const tile = bindTiler(pool.library, pool.handle);
  return {
    device: 'cuda',
    version: CUDA_LAYOUT_VERSION,
    specs: cudaSpecs,
    pack(source, weight, use, targets) {
      const [target, scale = 0] = targets.map(addressOf);
      const [rows, columns] = matrixShape(weight.shape);
      const isTiled = weight.format.type === 'quantised' && use === 'linear';
      const rowMajor = isTiled ? allocateHost(rows * columns) : undefined;
      const report = packRows(sourceMatrix(source, weight), {
        arrangement: 'rows',
        format: weight.format.type === 'quantised' ? 'int8' : weight.format.dtype,
        outCount: rows,
        weight: rowMajor?.address ?? target!,
        scale,
        sum: 0,
      });
      if (rowMajor !== undefined) tile({ source: rowMajor.address, rows, columns, target: target! });
      rowMajor?.dispose();
      return checkedReport(report, weight, source);
    },
  };
}

/** Shapes of the stored tensors; int8 weights have an f32 scale per row. */
export function cudaSpecs(
  name: WeightName,
  { shape, format }: PlanWeight,
  use: WeightUse,
): readonly PackedTensorSpec[] {
  const [rows, columns] = matrixShape(shape);
  if (format.type === 'dense') {
    if (format.dtype === 'f32')
      throw new AloftError(
        'UNSUPPORTED',
        `CUDA engines compute in 16 bits, and ${name} is float32; build with --dtype float16 or bfloat16.`,
      );
    return [{ name, dtype: format.dtype, shape }];
  }
  const scale: PackedTensorSpec = { name: `${name}.scale`, dtype: 'f32', shape: [rows] };
  if (use === 'linear') return [{ name, dtype: 'u8', shape: tileShape(rows, columns) }, scale];
  return [{ name, dtype: 'i8', shape }, scale];
}
