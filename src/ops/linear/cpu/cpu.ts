/** The native functions of linear: running it, and packing weights for it. */
import { invariant } from '../../../core/errors.js';
import { addressOf } from '../../../ffi/memory.js';
import type { NativeLibrary } from '../../../ffi/library.js';
import { DTYPE_CODE, type DenseDType } from '../../cpu/dtype-code.js';
import type { LinearOp } from '../../../plan/plan.js';
import { elementOf, type WeightFormat } from '../../../plan/weight-format.js';
import { groupSize, LINEAR_FORMAT_CODE, type PackedAddresses } from './packed-linear.js';

/** A packed weight by address; `bias` ([out] f32) is 0 where there is none. */
export interface CpuLinearWeight extends PackedAddresses {
  readonly format: WeightFormat;
  readonly inCount: number;
  readonly outCount: number;
  readonly bias: number;
  /** Bits that inputs of int8 weights are rounded to, as in {@link LinearOp}; absent: 16. */
  readonly inputBits?: LinearOp['inputBits'];
}

/** Bits of inputs of quantised weights where a layer does not allow fewer. */
const MOST_INPUT_BITS = 16;

/** One linear, ready to run: x [tokens, in] f32 and out [tokens, out] f32 by address; they must not overlap. */
export type CpuLinear = (tokenCount: number, x: number, out: number) => void;

/**
 * Binds a weight to the kernel of its format. Quantised ones give a token the same bits at every level and in every batch
 * (see reference.ts), but for fp8; f32, f16, bf16 and fp8 give the same bits in every batch at one level.
 * @param pool handle of the pool to run on
 */
export function bindLinear(library: NativeLibrary, pool: number): (weight: CpuLinearWeight) => CpuLinear {
  const run = library.bind(
    'void aloft_linear(uint64_t pool, int format, int64_t group, int64_t tokens, int64_t in, int64_t out, int64_t inputBits, uint64_t x, uint64_t weight, uint64_t scale, uint64_t sum, uint64_t zero, uint64_t order, uint64_t bias, uint64_t result)',
  );
  return ({
    format,
    inCount,
    outCount,
    weight,
    scale,
    sum,
    zero,
    order,
    bias,
    inputBits = MOST_INPUT_BITS,
  }) => {
    const [code, group] = [LINEAR_FORMAT_CODE[elementOf(format)], groupSize(format)];
    return (tokenCount, x, out) => {
      run(
        pool,
        code,
        group,
        tokenCount,
        inCount,
        outCount,
        inputBits,
        x,
        weight,
        scale,
        sum,
        zero,
        order,
        bias,
        out,
      );
    };
  };
}

/** A row-major matrix in a checkpoint's precision, by address; it need not be aligned. */
export interface SourceMatrix {
  readonly dtype: DenseDType;
  readonly address: number;
  readonly rowCount: number;
  readonly columnCount: number;
}

/** Error that packing brought into a weight. */
export interface CpuPackReport {
  readonly squaredError: number;
  readonly squaredSum: number;
  /** Finite values beyond the range of the format, stored as infinity. */
  readonly overflowCount: number;
  /** Infinities and NaNs of the source. */
  readonly nonFiniteCount: number;
}

/** Layout of the target in memory: tiles for linear, or rows as they are, for tables and vectors. */
type PackArrangement = 'tiles' | 'rows';

/** Where a matrix goes: addresses of the tensors of its format. int8 has sums in tiles only. */
export interface PackTarget extends PackedAddresses {
  readonly arrangement: PackArrangement;
  readonly format: WeightFormat;
  /** Rows of the target; those that the source lacks become zero. */
  readonly outCount: number;
}

/** Converts, quantises and arranges one matrix on all threads of the pool; its format must not have groups. */
export type CpuPacker = (source: SourceMatrix, target: PackTarget) => CpuPackReport;

export function bindPacker(library: NativeLibrary, pool: number): CpuPacker {
  const run = library.bind(
    'void aloft_linear_pack(uint64_t pool, int tiled, int sourceDType, uint64_t source, int64_t sourceRows, int64_t in, int64_t out, int format, uint64_t weight, uint64_t scale, uint64_t sum, uint64_t report)',
  );
  return (source, { arrangement, format, outCount, weight, scale, sum }) => {
    const report = new Float64Array(4);
    const tiled = arrangement === 'tiles' ? 1 : 0;
    const { dtype, address, rowCount, columnCount } = source;
    run(
      pool,
      tiled,
      DTYPE_CODE[dtype],
      address,
      rowCount,
      columnCount,
      outCount,
      LINEAR_FORMAT_CODE[elementOf(format)],
      weight,
      scale,
      sum,
      addressOf(report),
    );
    return packReport(report);
  };
}

/** @param fields of `struct PackReport`, in order */
function packReport([squaredError, squaredSum, overflowCount, nonFiniteCount]: Float64Array): CpuPackReport {
  return {
    squaredError: squaredError!,
    squaredSum: squaredSum!,
    overflowCount: overflowCount!,
    nonFiniteCount: nonFiniteCount!,
  };
}

/** A quantised weight as every packer takes it, by address. */
interface GroupedCodes {
  /** [rows, columns] i8 or E4M3, row-major. */
  readonly codes: number;
  /** [rows, groups], f16 of int4 and f32 of int8 and fp8. */
  readonly scales: number;
  /** [rows, groups] u8; 0 in a format without zeros. */
  readonly zeros: number;
}

/** Quantises a matrix to int4 in groups of `group` columns on all threads of the pool; see `quantiseGroups` in reference.ts. */
export type GroupQuantiser = (source: SourceMatrix, group: number, target: GroupedCodes) => CpuPackReport;

export function bindGroupQuantiser(library: NativeLibrary, pool: number): GroupQuantiser {
  const run = library.bind(
    'void aloft_linear_quantise_groups(uint64_t pool, int sourceDType, uint64_t source, int64_t rows, int64_t in, int64_t group, uint64_t codes, uint64_t scales, uint64_t zeros, uint64_t report)',
  );
  return ({ dtype, address, rowCount, columnCount }, group, { codes, scales, zeros }) => {
    const report = new Float64Array(4);
    const source = [DTYPE_CODE[dtype], address, rowCount, columnCount] as const;
    run(pool, ...source, group, codes, scales, zeros, addressOf(report));
    return packReport(report);
  };
}

/** A matrix that is quantised: codes, row by row, and the scales and zeros of its format, by address. */
export interface SourceCodes extends GroupedCodes {
  /** [columns] i32: the input of each code; 0 where codes lie in the order of inputs. */
  readonly order: number;
  readonly rowCount: number;
  readonly columnCount: number;
}

/** Arranges a matrix that is quantised already on all threads of the pool: the bytes that packing its values would give. */
export function bindCodePacker(
  library: NativeLibrary,
  pool: number,
): (source: SourceCodes, target: PackTarget) => void {
  const packRows = library.bind(
    'void aloft_linear_pack_codes(uint64_t pool, int tiled, int format, uint64_t codes, uint64_t scales, int64_t sourceRows, int64_t in, int64_t out, uint64_t weight, uint64_t scale, uint64_t sum)',
  );
  const packGroups = library.bind(
    'void aloft_linear_pack_groups(uint64_t pool, int64_t group, uint64_t codes, uint64_t scales, uint64_t zeros, uint64_t sourceOrder, int64_t sourceRows, int64_t in, int64_t out, uint64_t weight, uint64_t scale, uint64_t zero, uint64_t order)',
  );
  return (source, { arrangement, format, outCount, weight, scale, sum, zero, order }) => {
    const { codes, scales, zeros, rowCount, columnCount } = source;
    const group = groupSize(format);
    if (group === 0) {
      const tiled = arrangement === 'tiles' ? 1 : 0;
      const code = LINEAR_FORMAT_CODE[elementOf(format)];
      packRows(pool, tiled, code, codes, scales, rowCount, columnCount, outCount, weight, scale, sum);
      return;
    }
    invariant(arrangement === 'tiles', () => 'groups lie in tiles alone');
    const logical = [codes, scales, zeros, source.order, rowCount, columnCount] as const;
    packGroups(pool, group, ...logical, outCount, weight, scale, zero, order);
  };
}
