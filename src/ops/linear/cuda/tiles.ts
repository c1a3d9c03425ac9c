/** The tiles of 16 rows in which CUDA kernels read quantised weights. */
import type { NativeLibrary } from '../../../ffi/library.js';
import { ceilDiv } from '../../cuda/launch.js';

export const ROWS_OF_TILE = 16;
/** Stored int8 values are unsigned: value + 128. */
export const INT8_OFFSET = 128;

/** Size of a tile of a format. */
export interface TileSize {
  readonly columns: number;
  /** Scales and zeros of groups included. */
  readonly bytes: number;
}

/** Tiles of int8 and fp8. */
export const BYTE_TILE: TileSize = { columns: 64, bytes: ROWS_OF_TILE * 64 };

/** Shape of the stored tiles of a [rows, columns] weight. */
export function tileShape(
  tile: TileSize,
  rows: number,
  columns: number,
): readonly [down: number, across: number, bytes: number] {
  return [ceilDiv(rows, ROWS_OF_TILE), ceilDiv(columns, tile.columns), tile.bytes];
}

/** Number of the tile that has a value, in [down, across]. */
export function tileIndex(tile: TileSize, row: number, column: number, columns: number): number {
  return Math.floor(row / ROWS_OF_TILE) * ceilDiv(columns, tile.columns) + Math.floor(column / tile.columns);
}

/** Lane of a warp that multiplies a value of a tile: the first operand of `mma.m16n8k16` and of `wgmma.m64nNk16` (PTX ISA). */
export const laneOf = (row: number, column: number): number => (row & 7) * 4 + ((column >> 1) & 3);

/**
 * Where an int8 or fp8 value lies: [row / 16][column / 64][rows 0-7, 8-15][lane = row % 8 * 4 + t][product][2 halves][2 columns], where
 * the columns of a lane are 2t, 2t + 1, 2t + 8 and 2t + 9 of each product of 16.
 */
export function tileOffset(row: number, column: number, columns: number): number {
  const half = (row >> 3) & 1;
  const within = ((column >> 4) & 3) * 4 + ((column >> 3) & 1) * 2 + (column & 1);
  const { bytes } = BYTE_TILE;
  return (
    tileIndex(BYTE_TILE, row, column, columns) * bytes +
    half * (bytes / 2) +
    laneOf(row, column) * 16 +
    within
  );
}

export interface TilingOperands {
  /** Address of [rows, columns] codes, a byte each. */
  readonly source: number;
  readonly rows: number;
  readonly columns: number;
  /** Added to each code. */
  readonly offset: number;
  /** Address of the tiles. */
  readonly target: number;
}

/** Arranges a row-major matrix of bytes in tiles on all threads of the pool. */
export function bindTiler(library: NativeLibrary, pool: number): (operands: TilingOperands) => void {
  const run = library.bind(
    'void aloft_linear_cuda_tiles(uint64_t pool, uint64_t source, int64_t rows, int64_t columns, int offset, uint64_t target)',
  );
  return ({ source, rows, columns, offset, target }) => {
    run(pool, source, rows, columns, offset, target);
  };
}
