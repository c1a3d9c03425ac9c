/** For tests and benchmarks of linear: weights packed by the native packer, with the memory that holds them. */
import { floatToBfloat16, floatToHalf, tensorBytes } from '../../../core/dtype.js';
import type { NativeLibrary } from '../../../ffi/library.js';
import { addressOf, allocateHost } from '../../../ffi/memory.js';
import type { DenseDType } from '../../cpu/dtype-code.js';
import type { Matrix } from '../../matrix.js';
import { groupsOf, type FormatName, isQuantised, NAMED_FORMATS } from '../../../plan/weight-format.js';
import {
  bindCodePacker,
  bindGroupQuantiser,
  bindPacker,
  type CpuLinearWeight,
  type CpuPackReport,
  type PackTarget,
  type SourceMatrix,
} from '../cpu/cpu.js';
import { addressesOf, packedLinearTensors } from '../cpu/packed-linear.js';

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

interface Pool {
  readonly library: NativeLibrary;
  readonly handle: number;
}

/** Packs a matrix that lies in memory; `outCount` rows, of which the source may have fewer. */
export function packWeight(
  pool: Pool,
  source: SourceMatrix,
  name: FormatName,
  outCount: number = source.rowCount,
): TestWeight {
  const format = NAMED_FORMATS[name];
  const specs = packedLinearTensors(format, outCount, source.columnCount);
  const areas = specs.map(({ dtype, shape }) => allocateHost(tensorBytes(dtype, shape)));
  const addresses = addressesOf(specs, (_, index) => areas[index]!.address);
  const report = packInto(pool, source, { arrangement: 'tiles', format, outCount, ...addresses });
  return {
    weight: { format, inCount: source.columnCount, outCount, ...addresses, bias: 0 },
    report,
    tensors: areas.map((area) => area.bytes(0, area.byteLength)),
    dispose() {
      for (const area of areas) area.dispose();
    },
  };
}

/** Packs a matrix as a device's layout does: one in groups is quantised first. */
function packInto({ library, handle }: Pool, source: SourceMatrix, target: PackTarget): CpuPackReport {
  const { format } = target;
  if (!isQuantised(format) || format.group === null) return bindPacker(library, handle)(source, target);
  const count = source.rowCount * groupsOf(format, source.columnCount);
  const codes = new Int8Array(source.rowCount * source.columnCount);
  const [scales, zeros] = [new Uint16Array(count), new Uint8Array(count)];
  const grouped = {
    codes: addressOf(codes),
    scales: addressOf(scales),
    zeros: format.hasZeros ? addressOf(zeros) : 0,
  };
  const report = bindGroupQuantiser(library, handle)(source, format.group, grouped);
  bindCodePacker(library, handle)({ ...grouped, order: 0, ...source }, target);
  return report;
}

/** The address of a matrix's stored bits; the caller keeps them alive. */
export function sourceOf(
  dtype: DenseDType,
  bits: ArrayBufferView,
  { rowCount, columnCount }: Matrix,
): SourceMatrix {
  return { dtype, address: addressOf(bits), rowCount, columnCount };
}
