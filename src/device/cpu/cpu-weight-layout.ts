/** Layout of weights in a CPU engine: linears in tiles, tables row by row, vectors as f32. */
import { AloftError } from '../../core/errors.js';
import { addressOf } from '../../ffi/memory.js';
import { MAX_INT8_INPUTS } from '../../ops/linear/contract.js';
import { bindCodePacker, bindPacker } from '../../ops/linear/cpu/cpu.js';
import { packedLinearTensors } from '../../ops/linear/cpu/packed-linear.js';
import type { PlanWeight, WeightName } from '../../plan/plan.js';
import { elementOf, NAMED_FORMATS, type WeightElement, type WeightFormat } from '../../plan/weight-format.js';
import { checkedReport, matrixShape, NOTHING_LOST, sourceCodes, sourceMatrix } from '../source-matrix.js';
import type { PackedTensorSpec, StoredLayout, WeightLayout, WeightUse } from '../weight-layout.js';
import type { CpuPool } from './kernel-library.js';

/** Engines with another layout are refused. */
export const CPU_LAYOUT_VERSION = 1;

/** Every use takes every format: the CPU converts as it packs. */
const FORMATS: readonly WeightFormat[] = Object.values(NAMED_FORMATS);

export const CPU_LAYOUT: StoredLayout = {
  device: 'cpu',
  version: CPU_LAYOUT_VERSION,
  formats: () => FORMATS,
  roundsInputs: false,
  specs: cpuSpecs,
};

/** The CPU's layout; `pack` runs on the pool, which the caller disposes after the last weight. */
export function createCpuWeightLayout(pool: CpuPool): WeightLayout {
  const packMatrix = bindPacker(pool.library, pool.handle);
  const packCodes = bindCodePacker(pool.library, pool.handle);
  return {
    ...CPU_LAYOUT,
    pack(source, weight, use, targets) {
      const [address, scale = 0, sum = 0] = targets.map(addressOf);
      const target = {
        arrangement: isTiled(use) ? 'tiles' : 'rows',
        element: storedElement(weight, use),
        outCount: matrixShape(weight.shape)[0],
        weight: address!,
        scale,
        sum,
      } as const;
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
  const element = storedElement(weight, use);
  const [rows, columns] = matrixShape(weight.shape);
  if (element === 'int8' && columns > MAX_INT8_INPUTS) {
    throw new AloftError(
      'UNSUPPORTED',
      `${name} has rows of ${columns} values, but int8 weights on the CPU have at most ${MAX_INT8_INPUTS}; build without --use_weight_only.`,
    );
  }
  if (isTiled(use)) {
    const tensors = packedLinearTensors(element, rows, columns);
    return tensors.map(({ suffix, dtype, shape }) => ({ name: name + suffix, dtype, shape }));
  }
  if (element !== 'int8') return [{ name, dtype: element, shape: weight.shape }];
  return [
    { name, dtype: 'i8', shape: weight.shape },
    { name: `${name}.scale`, dtype: 'f32', shape: [rows] },
  ];
}

/** Matrices of experts lie one after another, in tiles as one matrix. */
const isTiled = (use: WeightUse): boolean => use === 'linear' || use === 'experts';

/** Vectors are few and multiplied in f32, so they are stored so, whatever the plan says. */
function storedElement({ format }: PlanWeight, use: WeightUse): WeightElement {
  return use === 'vector' ? 'f32' : elementOf(format);
}
