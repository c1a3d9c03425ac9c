/** The tiles in which CUDA kernels read int4 weights: 16 rows by 128 columns, behind them the scales and zeros of their groups. */
import type { NativeLibrary } from '../../../ffi/library.js';
import { laneOf, ROWS_OF_TILE, tileIndex, type TileSize } from './tiles.js';

/** Groups of inputs that have scales, and perhaps zeros, in the tiles of a format. */
export interface Int4Groups {
  /** 32, 64 or 128 inputs: a divisor of a tile's columns. */
  readonly group: number;
  readonly hasZeros: boolean;
}

/** Columns of a tile. */
const COLUMNS = 128;
const CODE_BYTES = (ROWS_OF_TILE * COLUMNS) / 2;
const SCALE_BYTES = 2;
/** Nibble of a weight of 0 where there are no zeros: nibbles are unsigned. */
export const INT4_OFFSET = 8;

const scalesOf = ({ group }: Int4Groups): number => (COLUMNS / group) * ROWS_OF_TILE;

export function int4Tile(groups: Int4Groups): TileSize {
  return {
    columns: COLUMNS,
    bytes: CODE_BYTES + scalesOf(groups) * (SCALE_BYTES + (groups.hasZeros ? 1 : 0)),
  };
}

/**
 * Where a nibble lies: [row / 16][column / 128][box of 64 columns][rows 0-7, 8-15][lane = row % 8 * 4 + t][8 bytes]. A lane has
 * the columns 2t, 2t + 1, 2t + 8 and 2t + 9 of each of four products of 16. A word of 4 bytes has two products: the first in
 * nibbles 0, 4, 2 and 6, the second in nibbles 1, 5, 3 and 7.
 */
export function int4Place(
  groups: Int4Groups,
  row: number,
  column: number,
  columns: number,
): { readonly offset: number; readonly shift: 0 | 4 } {
  const tile = int4Tile(groups);
  const half = (row >> 3) & 1;
  const box = (column >> 6) & 1;
  const product = (column >> 4) & 3;
  const within = (product >> 1) * 4 + (column & 1) * 2 + ((column >> 3) & 1);
  const offset = box * (CODE_BYTES / 2) + half * (CODE_BYTES / 4) + laneOf(row, column) * 8 + within;
  return {
    offset: tileIndex(tile, row, column, columns) * tile.bytes + offset,
    shift: (product & 1) === 0 ? 0 : 4,
  };
}

/** Offsets of the f16 scale and of the u8 zero of a value's group: behind a tile's nibbles, each as [group][16 rows]. */
export function int4GroupPlace(
  groups: Int4Groups,
  row: number,
  column: number,
  columns: number,
): { readonly scale: number; readonly zero: number } {
  const tile = int4Tile(groups);
  const start = tileIndex(tile, row, column, columns) * tile.bytes + CODE_BYTES;
  const index = Math.floor((column % COLUMNS) / groups.group) * ROWS_OF_TILE + (row % ROWS_OF_TILE);
  return { scale: start + index * SCALE_BYTES, zero: start + scalesOf(groups) * SCALE_BYTES + index };
}

export interface Int4TilingOperands extends Int4Groups {
  /** Addresses of [sourceRows, columns] i8 codes, [sourceRows, groups] f16 scales and u8 zeros; without zeros, 0. */
  readonly codes: number;
  readonly scales: number;
  readonly zeros: number;
  readonly sourceRows: number;
  /** Rows of the tiles; those that the source lacks become zero. */
  readonly rows: number;
  readonly columns: number;
  /** Address of the tiles. */
  readonly target: number;
}

/** Arranges row-major codes with their scales and zeros in tiles on all threads of the pool. */
export function bindInt4Tiler(library: NativeLibrary, pool: number): (operands: Int4TilingOperands) => void {
  const run = library.bind(
    'void aloft_linear_cuda_int4_tiles(uint64_t pool, uint64_t codes, uint64_t scales, uint64_t zeros, int64_t sourceRows, int64_t rows, int64_t columns, int64_t group, uint64_t target)',
  );
  return ({ codes, scales, zeros, sourceRows, rows, columns, group, target }) => {
    run(pool, codes, scales, zeros, sourceRows, rows, columns, group, target);
  };
}
