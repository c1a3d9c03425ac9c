/** The native functions of linear: running it, and packing weights for it. */
import { addressOf } from '../../../ffi/memory.js';
import type { NativeLibrary } from '../../../ffi/library.js';
import { DTYPE_CODE, type DenseDType } from '../../cpu/dtype-code.js';
import type { WeightElement } from '../../../plan/weight-format.js';
import { LINEAR_FORMAT_CODE, type PackedAddresses } from './packed-linear.js';

/** A packed weight by address; `bias` ([out] f32) is 0 where there is none. */
export interface CpuLinearWeight extends PackedAddresses {
  readonly element: WeightElement;
  readonly inCount: number;
  readonly outCount: number;
  readonly bias: number;
}

/** One linear, ready to run: x [tokens, in] f32 and out [tokens, out] f32 by address; they must not overlap. */
export type CpuLinear = (tokenCount: number, x: number, out: number) => void;

/**
 * Binds a weight to the kernel of its element. int8 gives a token the same bits at every level and in every batch
 * (see reference.ts); f32, f16 and bf16 give the same bits in every batch at one level.
 * @param pool handle of the pool to run on
 */
export function bindLinear(library: NativeLibrary, pool: number): (weight: CpuLinearWeight) => CpuLinear {
  const run = library.bind(
    'void aloft_linear(uint64_t pool, int format, int64_t tokens, int64_t in, int64_t out, uint64_t x, uint64_t weight, uint64_t scale, uint64_t sum, uint64_t bias, uint64_t result)',
  );
  return ({ element, inCount, outCount, weight, scale, sum, bias }) => {
    const code = LINEAR_FORMAT_CODE[element];
    return (tokenCount, x, out) => {
      run(pool, code, tokenCount, inCount, outCount, x, weight, scale, sum, bias, out);
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

/** Where a matrix goes: addresses of its numbers, and for int8 of the [rows] scales and, in tiles, sums. */
export interface PackTarget extends PackedAddresses {
  readonly arrangement: PackArrangement;
  readonly element: WeightElement;
  /** Rows of the target; those that the source lacks become zero. */
  readonly outCount: number;
}

/** Converts, quantises and arranges one matrix on all threads of the pool. */
export type CpuPacker = (source: SourceMatrix, target: PackTarget) => CpuPackReport;

export function bindPacker(library: NativeLibrary, pool: number): CpuPacker {
  const run = library.bind(
    'void aloft_linear_pack(uint64_t pool, int tiled, int sourceDType, uint64_t source, int64_t sourceRows, int64_t in, int64_t out, int format, uint64_t weight, uint64_t scale, uint64_t sum, uint64_t report)',
  );
  return (source, { arrangement, element, outCount, weight, scale, sum }) => {
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
      LINEAR_FORMAT_CODE[element],
      weight,
      scale,
      sum,
      addressOf(report),
    );
    return {
      squaredError: report[0]!,
      squaredSum: report[1]!,
      overflowCount: report[2]!,
      nonFiniteCount: report[3]!,
    };
  };
}

/** A row-major int8 matrix with an f32 scale for each row, by address: quantised before it came here. */
export interface SourceCodes {
  readonly codes: number;
  readonly scales: number;
  readonly rowCount: number;
  readonly columnCount: number;
}

/** Arranges an int8 matrix that is quantised already on all threads of the pool: the bytes that packing its values would give. */
export function bindCodePacker(
  library: NativeLibrary,
  pool: number,
): (source: SourceCodes, target: PackTarget) => void {
  const run = library.bind(
    'void aloft_linear_pack_codes(uint64_t pool, int tiled, uint64_t codes, uint64_t scales, int64_t sourceRows, int64_t in, int64_t out, uint64_t weight, uint64_t scale, uint64_t sum)',
  );
  return ({ codes, scales, rowCount, columnCount }, { arrangement, outCount, weight, scale, sum }) => {
    const tiled = arrangement === 'tiles' ? 1 : 0;
    run(pool, tiled, codes, scales, rowCount, columnCount, outCount, weight, scale, sum);
  };
}
