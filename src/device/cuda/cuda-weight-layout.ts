/** Layout of weights on a CUDA device: dense in 16 bits, row by row; quantised linears, and experts in int4, in tiles that are matrix operands as they lie. */
import { AloftError } from '../../core/errors.js';
import { addressOf, allocateHost } from '../../ffi/memory.js';
import { bindCodePacker, bindGroupQuantiser, bindPacker, type PackTarget } from '../../ops/linear/cpu/cpu.js';
import { CUDA_FORMATS } from '../../ops/cuda/formats.js';
import { bindInt4Tiler } from '../../ops/linear/cuda/int4-tiles.js';
import { type StoredWeights, storedWeights } from '../../ops/linear/cuda/stored-weights.js';
import { bindTiler, tileShape } from '../../ops/linear/cuda/tiles.js';
import type { PlanWeight, WeightName } from '../../plan/plan.js';
import { codeDtype, hasOrder, type WeightFormat } from '../../plan/weight-format.js';
import type { CpuPool } from '../cpu/kernel-library.js';
import {
  checkedReport,
  matrixShape,
  NOTHING_LOST,
  sourceCodes,
  sourceMatrix,
  useGroupedCodes,
} from '../source-matrix.js';
import type {
  PackedTensorSpec,
  PackReport,
  WeightData,
  StoredLayout,
  WeightLayout,
  WeightUse,
} from '../weight-layout.js';

/** Layout of the weights and of what the kernels in an engine read. Engines with another one are refused. */
export const CUDA_LAYOUT_VERSION = 10;

export const CUDA_LAYOUT: StoredLayout = {
  device: 'cuda',
  version: CUDA_LAYOUT_VERSION,
  formats: (use) => CUDA_FORMATS[use],
  specs: cudaSpecs,
};

/** The CUDA layout; `pack` runs on the CPU's pool, which the caller disposes after the last weight. */
export function createCudaWeightLayout(pool: CpuPool): WeightLayout {
  const packMatrix = bindPacker(pool.library, pool.handle);
  const packCodes = bindCodePacker(pool.library, pool.handle);
  const tile = bindTiler(pool.library, pool.handle);
  const quantiseGroups = bindGroupQuantiser(pool.library, pool.handle);
  const tileInt4 = bindInt4Tiler(pool.library, pool.handle);
  const packRows = (source: WeightData, weight: PlanWeight, target: PackTarget): PackReport => {
    if (source.kind === 'dense')
      return checkedReport(packMatrix(sourceMatrix(source.tensor, weight), target), weight, source.tensor);
    packCodes(sourceCodes(source, weight), target);
    return NOTHING_LOST;
  };
  return {
    ...CUDA_LAYOUT,
    pack(source, weight, use, targets) {
      const [address, scale = 0] = targets.map(addressOf);
      const [rows, columns] = matrixShape(weight.shape);
      const tiles = tilesOf(weight.format, use);
      if (tiles?.groups !== undefined) {
        const place = { ...tiles.groups, rows, columns, target: address! };
        if (source.kind === 'quantised' && source.order !== null) targets[1]!.set(source.order.bytes);
        return useGroupedCodes(source, weight, quantiseGroups, ({ rowCount, codes, scales, zeros }) => {
          tileInt4({ ...place, codes, scales, zeros, sourceRows: rowCount });
        });
      }
      const target = {
        arrangement: 'rows',
        format: weight.format,
        outCount: rows,
        weight: address!,
        scale,
        sum: 0,
        zero: 0,
        order: 0,
      } as const;
      if (tiles === undefined) return packRows(source, weight, target);
      const rowMajor = allocateHost(rows * columns);
      try {
        const report = packRows(source, weight, { ...target, weight: rowMajor.address });
        const { codeOffset: offset } = tiles;
        tile({ source: rowMajor.address, rows, columns, offset, target: address! });
        return report;
      } finally {
        rowMajor.dispose();
      }
    },
  };
}

/** Form of a weight in tiles; undefined for one that lies row by row. */
function tilesOf(format: WeightFormat, use: WeightUse): StoredWeights | undefined {
  if (use !== 'linear' && use !== 'experts') return undefined;
  const stored = storedWeights(format);
  // The kernels of experts read bytes row by row, and scales of groups behind their tiles.
  const isTiled = use === 'linear' ? stored.isTiled : stored.groups !== undefined;
  return isTiled ? stored : undefined;
}

/** Shapes of the stored tensors; int8 and fp8 weights have an f32 scale per row, scales of groups lie in the tiles, inputs of codes in act order behind. */
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
  const tiles = tilesOf(format, use);
  if (tiles === undefined) return [{ name, dtype: codeDtype(format), shape }, scale];
  const tensor: PackedTensorSpec = { name, dtype: 'u8', shape: tileShape(tiles.tile, rows, columns) };
  const order: PackedTensorSpec = { name: `${name}.order`, dtype: 'i32', shape: [columns] };
  return [tensor, ...(tiles.hasRowScales ? [scale] : []), ...(hasOrder(format) ? [order] : [])];
}
