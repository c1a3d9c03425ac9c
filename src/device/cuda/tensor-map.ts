import { BYTES_PER_ELEMENT } from '../../core/dtype.js';
import { addressOf } from '../../ffi/memory.js';
import type { TensorMap } from '../../ops/cuda/launch.js';
import type { Mapped } from '../../ops/cuda/mapped.js';
import type { CudaDriver } from './driver.js';

/** Bytes of a `CUtensorMap`; the driver writes it to a multiple of 64 bytes. */
export const TENSOR_MAP_BYTES = 128;

/** cuda.h: CUtensorMapDataType, CUtensorMapSwizzle, CUtensorMapL2promotion. */
const DATA_TYPE = { i8: 0, f16: 6, bf16: 9 } as const;
const UINT32 = 2;
const UINT64 = 4;
/** Elements that a box may have along a dimension. */
const MAX_BOX = 256;
const NO_SWIZZLE = 0;
const SWIZZLE_128B = 3;
const L2_PROMOTION_256B = 3;
/** A row of a box: the width of the swizzle pattern. */
const BOX_ROW_BYTES = 128;

/** Arguments of `cuTensorMapEncodeTiled`: sizes from the innermost dimension on, strides of all but the innermost. */
interface Encoding {
  readonly type: number;
  readonly swizzle: number;
  readonly sizes: readonly number[];
  readonly strideBytes: readonly number[];
  readonly box: readonly number[];
}

function encodingOf(mapped: Mapped): Encoding {
  if ('boxRows' in mapped) {
    const { rows, columns, boxRows, boxCount, dtype } = mapped;
    const bytes = BYTES_PER_ELEMENT[dtype];
    const boxColumns = BOX_ROW_BYTES / bytes;
    const [rowBytes, box] = [columns * bytes, [boxColumns, boxRows]];
    const shape =
      boxCount === undefined
        ? { sizes: [columns, rows], strideBytes: [rowBytes], box }
        : {
            sizes: [boxColumns, rows, columns / boxColumns],
            strideBytes: [rowBytes, BOX_ROW_BYTES],
            box: [...box, boxCount],
          };
    return { type: DATA_TYPE[dtype], swizzle: SWIZZLE_128B, ...shape };
  }
  const { down, across, tileBytes, box } = mapped;
  const isSmall = tileBytes / 4 <= MAX_BOX;
  const words = tileBytes / (isSmall ? 4 : 8);
  const strideBytes = [tileBytes, tileBytes * across];
  const shape = { sizes: [words, across, down], strideBytes, box: [words, box.across, box.down] };
  return { type: isSmall ? UINT32 : UINT64, swizzle: NO_SWIZZLE, ...shape };
}

/**
 * Returns a function that describes a matrix to the bulk copy engine (compute capability 9.0). Matrices that are equal share a
 * map. Maps are kernel arguments: the engine keeps copies of those that it read from device memory, and would take an old one
 * for a new one at the same address.
 */
export function createTensorMapEncoder(driver: CudaDriver): (mapped: Mapped) => TensorMap {
  const maps = new Map<string, TensorMap>();
  return (mapped) => {
    const encoding = encodingOf(mapped);
    const key = `${mapped.address} ${encoding.type} ${encoding.sizes.join()} ${encoding.box.join()}`;
    let map = maps.get(key);
    if (map === undefined) maps.set(key, (map = encode(driver, mapped.address, encoding)));
    return map;
  };
}

function encode(
  driver: CudaDriver,
  address: number,
  { type, swizzle, sizes, strideBytes, box }: Encoding,
): TensorMap {
  const buffer = new ArrayBuffer(TENSOR_MAP_BYTES + 192);
  const unaligned = addressOf(new Uint8Array(buffer));
  const start = (64 - (unaligned % 64)) % 64;
  const view = new DataView(buffer);
  const parameters = start + TENSOR_MAP_BYTES;
  const [sizesAt, stridesAt, boxAt, stepsAt] = [0, 24, 40, 52];
  const at = (offset: number): number => unaligned + parameters + offset;
  const setLongs = (offset: number, values: readonly number[]): void => {
    for (const [i, value] of values.entries())
      view.setBigUint64(parameters + offset + 8 * i, BigInt(value), true);
  };
  const setWords = (offset: number, values: readonly number[]): void => {
    for (const [i, value] of values.entries()) view.setUint32(parameters + offset + 4 * i, value, true);
  };
  setLongs(sizesAt, sizes);
  setLongs(stridesAt, strideBytes);
  setWords(boxAt, box);
  setWords(
    stepsAt,
    box.map(() => 1),
  );
  driver.call(
    'cuTensorMapEncodeTiled',
    ...[unaligned + start, type, sizes.length, address, at(sizesAt), at(stridesAt), at(boxAt)],
    ...[at(stepsAt), 0, swizzle, L2_PROMOTION_256B, 0],
  );
  return new Uint8Array(buffer.slice(start, start + TENSOR_MAP_BYTES));
}
