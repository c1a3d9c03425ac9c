import { addressOf } from '../../ffi/memory.js';
import type { TensorMap } from '../../ops/cuda/launch.js';
import { TILE_BYTES } from '../../ops/linear/cuda/tiles.js';
import type { TileBox } from '../../ops/linear/cuda/wide.js';
import type { CudaDriver } from './driver.js';

/** Bytes of a `CUtensorMap`; the driver writes it to a multiple of 64 bytes. */
export const TENSOR_MAP_BYTES = 128;

/** cuda.h: CUtensorMapDataType, CUtensorMapSwizzle, CUtensorMapL2promotion. */
const DATA_TYPE = { f16: 6, bf16: 9 } as const;
const UINT32 = 2;
const NO_SWIZZLE = 0;
const SWIZZLE_128B = 3;
const L2_PROMOTION_256B = 3;
/** Columns of a box: 128 bytes, the width of the swizzle pattern. */
const BOX_COLUMNS = 64;

/** A row-major [rows, columns] matrix of 16-bit values in device memory, to be copied in boxes of 64 columns. */
export interface MappedMatrix {
  readonly address: number;
  readonly rows: number;
  /** A multiple of 8: rows start at multiples of 16 bytes. */
  readonly columns: number;
  readonly boxRows: number;
  readonly dtype: 'f16' | 'bf16';
}

/** Tiles of int8 weights, [down, across], to be copied in boxes of some of both; tiles outside are zeros. */
export interface MappedTiles {
  readonly address: number;
  readonly down: number;
  readonly across: number;
  readonly box: TileBox;
}

/** What `cuTensorMapEncodeTiled` is told: sizes from the innermost dimension on, strides of all but the innermost. */
interface Encoding {
  readonly type: number;
  readonly swizzle: number;
  readonly sizes: readonly number[];
  readonly strideBytes: readonly number[];
  readonly box: readonly number[];
}

function encodingOf(mapped: MappedMatrix | MappedTiles): Encoding {
  if ('boxRows' in mapped) {
    const { rows, columns, boxRows, dtype } = mapped;
    const shape = { sizes: [columns, rows], strideBytes: [columns * 2], box: [BOX_COLUMNS, boxRows] };
    return { type: DATA_TYPE[dtype], swizzle: SWIZZLE_128B, ...shape };
  }
  const { down, across, box } = mapped;
  const words = TILE_BYTES / 4;
  const strideBytes = [TILE_BYTES, TILE_BYTES * across];
  const shape = { sizes: [words, across, down], strideBytes, box: [words, box.across, box.down] };
  return { type: UINT32, swizzle: NO_SWIZZLE, ...shape };
}

/**
 * Describes matrices to the bulk copy engine (compute capability 9.0). Maps are kernel arguments: the engine keeps copies of
 * those that it read from device memory, and would take an old one for a new one at the same address.
 */
export function encodeTensorMaps(
  driver: CudaDriver,
  matrices: readonly (MappedMatrix | MappedTiles)[],
): readonly TensorMap[] {
  const buffer = new ArrayBuffer(TENSOR_MAP_BYTES + 192);
  const unaligned = addressOf(new Uint8Array(buffer));
  const start = (64 - (unaligned % 64)) % 64;
  const view = new DataView(buffer);
  const parameters = start + TENSOR_MAP_BYTES;
  const [sizesAt, stridesAt, boxAt, stepsAt] = [0, 24, 40, 52];
  const at = (offset: number): number => unaligned + parameters + offset;
  return matrices.map((mapped) => {
    const { type, swizzle, sizes, strideBytes, box } = encodingOf(mapped);
    const setAll = (offset: number, values: readonly number[], bytes: 4 | 8): void => {
      for (const [i, value] of values.entries())
        if (bytes === 8) view.setBigUint64(parameters + offset + 8 * i, BigInt(value), true);
        else view.setUint32(parameters + offset + 4 * i, value, true);
    };
    setAll(sizesAt, sizes, 8);
    setAll(stridesAt, strideBytes, 8);
    setAll(boxAt, box, 4);
    setAll(
      stepsAt,
      box.map(() => 1),
      4,
    );
    driver.call(
      'cuTensorMapEncodeTiled',
      ...[unaligned + start, type, sizes.length, mapped.address, at(sizesAt), at(stridesAt), at(boxAt)],
      ...[at(stepsAt), 0, swizzle, L2_PROMOTION_256B, 0],
    );
    return new Uint8Array(buffer.slice(start, start + TENSOR_MAP_BYTES));
  });
}
