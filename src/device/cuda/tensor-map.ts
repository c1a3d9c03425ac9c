import { addressOf } from '../../ffi/memory.js';
import type { TensorMap } from '../../ops/cuda/launch.js';
import type { CudaDriver } from './driver.js';

/** Bytes of a `CUtensorMap`; the driver writes it to a multiple of 64 bytes. */
export const TENSOR_MAP_BYTES = 128;

/** cuda.h: CUtensorMapDataType, CUtensorMapSwizzle, CUtensorMapL2promotion. */
const DATA_TYPE = { f16: 6, bf16: 9 } as const;
const SWIZZLE_128B = 3;
const L2_PROMOTION_256B = 3;
/** Columns of a box: 128 bytes, the width of the swizzle pattern. */
export const BOX_COLUMNS = 64;

/** A row-major [rows, columns] matrix of 16-bit values in device memory, to be copied in boxes of 64 columns. */
export interface MappedMatrix {
  readonly address: number;
  readonly rows: number;
  /** A multiple of 8: rows start at multiples of 16 bytes. */
  readonly columns: number;
  readonly boxRows: number;
  readonly dtype: 'f16' | 'bf16';
}

/**
 * Describes matrices to the bulk copy engine (compute capability 9.0). Maps are kernel arguments: the engine keeps copies of
 * those that it read from device memory, and would take an old one for a new one at the same address.
 */
export function encodeTensorMaps(
  driver: CudaDriver,
  matrices: readonly MappedMatrix[],
): readonly TensorMap[] {
  const buffer = new ArrayBuffer(TENSOR_MAP_BYTES + 192);
  const unaligned = addressOf(new Uint8Array(buffer));
  const start = (64 - (unaligned % 64)) % 64;
  const view = new DataView(buffer);
  const parameters = start + TENSOR_MAP_BYTES;
  const at = (offset: number): number => unaligned + parameters + offset;
  return matrices.map(({ address, rows, columns, boxRows, dtype }) => {
    view.setBigUint64(parameters, BigInt(columns), true);
    view.setBigUint64(parameters + 8, BigInt(rows), true);
    view.setBigUint64(parameters + 16, BigInt(columns * 2), true);
    view.setUint32(parameters + 24, BOX_COLUMNS, true);
    view.setUint32(parameters + 28, boxRows, true);
    view.setUint32(parameters + 32, 1, true);
    view.setUint32(parameters + 36, 1, true);
    driver.call(
      'cuTensorMapEncodeTiled',
      ...[unaligned + start, DATA_TYPE[dtype], 2, address, at(0), at(16), at(24), at(32)],
      ...[0, SWIZZLE_128B, L2_PROMOTION_256B, 0],
    );
    return new Uint8Array(buffer.slice(start, start + TENSOR_MAP_BYTES));
  });
}
