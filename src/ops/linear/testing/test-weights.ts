/** For tests and benchmarks of linear: weights packed by the native packer, with the memory that holds them. */
import { floatToBfloat16, floatToHalf, tensorBytes } from '../../../core/dtype.js';
import type { NativeLibrary } from '../../../ffi/library.js';
import { addressOf, allocateHost } from '../../../ffi/memory.js';
import type { DenseDType } from '../../cpu/dtype-code.js';
import type { Matrix } from '../../matrix.js';
import type { WeightElement } from '../../../plan/weight-format.js';
import { bindPacker, type CpuLinearWeight, type CpuPackReport, type SourceMatrix } from '../cpu/cpu.js';
import { packedLinearTensors } from '../cpu/packed-linear.js';

/** Bits of a matrix in a checkpoint dtype. */
export function storedAs(dtype: DenseDType, { data }: Matrix): Float32Array | Uint16Array {
  return dtype === 'f32'
    ? data.slice()
    : Uint16Array.from(data, dtype === 'f16' ? floatToHalf : floatToBfloat16);
}

export interface TestWeight {
  readonly weight: CpuLinearWeight;
  readonly report: CpuPackReport;
  /** Views of the packed tensors, in order. */
  readonly tensors: readonly Uint8Array[];
  dispose(): void;
}

/** Packs a matrix that lies in memory; `outCount` rows, of which the source may have fewer. */
export function packWeight(
  { library, handle }: { readonly library: NativeLibrary; readonly handle: number },
  source: SourceMatrix,
  element: WeightElement,
  outCount: number = source.rowCount,
): TestWeight {
  const specs = packedLinearTensors(element, outCount, source.columnCount);
  const areas = specs.map(({ dtype, shape }) => allocateHost(tensorBytes(dtype, shape)));
  const [weight, scale = 0, sum = 0] = areas.map(({ address }) => address);
  const target = { arrangement: 'tiles', element, outCount, weight: weight!, scale, sum } as const;
  const report = bindPacker(library, handle)(source, target);
  return {
    weight: { element, inCount: source.columnCount, outCount, weight: weight!, scale, sum, bias: 0 },
    report,
    tensors: areas.map((area) => area.bytes(0, area.byteLength)),
    dispose() {
      for (const area of areas) area.dispose();
    },
  };
}

/** The address of a matrix's stored bits; the caller keeps them alive. */
export function sourceOf(
  dtype: DenseDType,
  bits: ArrayBufferView,
  { rowCount, columnCount }: Matrix,
): SourceMatrix {
  return { dtype, address: addressOf(bits), rowCount, columnCount };
}
