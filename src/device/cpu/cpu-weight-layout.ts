/** Layout of weights in a CPU engine: linears in tiles, tables row by row, vectors as f32. */
import { AloftError } from '../../core/errors.js';
import { addressOf } from '../../ffi/memory.js';
import { MAX_QUANTISED_INPUTS } from '../../ops/linear/contract.js';
import { bindCodePacker, bindGroupQuantiser, bindPacker } from '../../ops/linear/cpu/cpu.js';
import {
  addressesOf,
  type PackedLinearTensor,
  packedLinearTensors,
  rowTensors,
} from '../../ops/linear/cpu/packed-linear.js';
import type { PlanWeight, WeightName } from '../../plan/plan.js';
import {
  INT4_GROUPS,
  int4Format,
  isQuantised,
  NAMED_FORMATS,
  type WeightFormat,
} from '../../plan/weight-format.js';
import {
  checkedReport,
  matrixShape,
  NOTHING_LOST,
  sourceCodes,
  sourceMatrix,
  useGroupedCodes,
} from '../source-matrix.js';
import type { PackedTensorSpec, StoredLayout, WeightLayout, WeightUse } from '../weight-layout.js';
import type { CpuPool } from './kernel-library.js';

/** Engines with another layout are refused. */
export const CPU_LAYOUT_VERSION = 1;

const { f32, f16, bf16, int8 } = NAMED_FORMATS;

/** Formats by the use of a weight. Vectors are kept in f32, from whatever they come. */
const FORMATS: Readonly<Record<WeightUse, readonly WeightFormat[]>> = {
  table: [f32, f16, bf16, int8],
  vector: [f32, f16, bf16],
  linear: [
    ...Object.values(NAMED_FORMATS),
    ...INT4_GROUPS.flatMap((group) => [int4Format(group, false, true), int4Format(group, true, true)]),
  ],
  experts: Object.values(NAMED_FORMATS),
};

export const CPU_LAYOUT: StoredLayout = {
  device: 'cpu',
  version: CPU_LAYOUT_VERSION,
  formats: (use) => FORMATS[use],
  specs: cpuSpecs,
};

/** The CPU's layout; `pack` runs on the pool, which the caller disposes after the last weight. */
export function createCpuWeightLayout(pool: CpuPool): WeightLayout {
  const packMatrix = bindPacker(pool.library, pool.handle);
  const packCodes = bindCodePacker(pool.library, pool.handle);
  const quantiseGroups = bindGroupQuantiser(pool.library, pool.handle);
  return {
    ...CPU_LAYOUT,
    pack(source, weight, use, targets) {
      const format = storedFormat(weight, use);
      const [rows, columns] = matrixShape(weight.shape);
      const target = {
        arrangement: isTiled(use) ? 'tiles' : 'rows',
        format,
        outCount: rows,
        ...addressesOf(storedTensors(format, use, rows, columns), (_, index) => addressOf(targets[index]!)),
      } as const;
      if (isQuantised(format) && format.group !== null)
        return useGroupedCodes(source, weight, quantiseGroups, (codes) => packCodes(codes, target));
      if (source.kind === 'quantised') {
        packCodes(sourceCodes(source, weight), target);
        return NOTHING_LOST;
      }
      return checkedReport(packMatrix(sourceMatrix(source.tensor, weight), target), weight, source.tensor);
    },
  };
}

/** Shapes of the stored tensors. Linears: see packedLinearTensors; int8 tables have a scale per row. */
function cpuSpecs(name: WeightName, weight: PlanWeight, use: WeightUse): readonly PackedTensorSpec[] {
  const format = storedFormat(weight, use);
  const [rows, columns] = matrixShape(weight.shape);
  if (isQuantised(format) && columns > MAX_QUANTISED_INPUTS) {
    throw new AloftError(
      'UNSUPPORTED',
      `${name} has rows of ${columns} values, but quantised weights on the CPU have at most ${MAX_QUANTISED_INPUTS}; build without --quantization.`,
    );
  }
  if (use === 'vector') return [{ name, dtype: 'f32', shape: weight.shape }];
  return storedTensors(format, use, rows, columns).map(({ suffix, dtype, shape }) => ({
    name: name + suffix,
    dtype,
    shape,
  }));
}

function storedTensors(
  format: WeightFormat,
  use: WeightUse,
  rows: number,
  columns: number,
): readonly PackedLinearTensor[] {
  return isTiled(use) ? packedLinearTensors(format, rows, columns) : rowTensors(format, rows, columns);
}

/** Matrices of experts lie one after another, in tiles as one matrix. */
const isTiled = (use: WeightUse): boolean => use === 'linear' || use === 'experts';

/** Vectors are few and multiplied in f32, so they are stored so, whatever the plan says. */
function storedFormat({ format }: PlanWeight, use: WeightUse): WeightFormat {
  return use === 'vector' ? NAMED_FORMATS.f32 : format;
}
