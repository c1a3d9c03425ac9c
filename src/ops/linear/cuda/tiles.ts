/** The tiles in which CUDA kernels read int8 weights. */
import type { NativeLibrary } from '../../../ffi/library.js';
import { ceilDiv } from '../../cuda/launch.js';

const TILE_ROWS = 16;
const TILE_COLUMNS = 64;
export const TILE_BYTES = TILE_ROWS * TILE_COLUMNS;
/** Stored values are unsigned: value + 128. */
export const INT8_OFFSET = 128;

/** Shape of the stored tiles of a [rows, columns] weight. */
export function tileShape(
  rows: number,
  columns: number,
): readonly [down: number, across: number, bytes: number] {
  return [ceilDiv(rows, TILE_ROWS), ceilDiv(columns, TILE_COLUMNS), TILE_BYTES];
}

/**
 * Where a value lies: [row / 16][column / 64][rows 0-7, 8-15][lane = row % 8 * 4 + t][product][2 halves][2 columns], where the
 * columns of a lane are 2t, 2t + 1, 2t + 8 and 2t + 9 of each product of 16: the first operand of `mma.m16n8k16` and of
 * `wgmma.m64nNk16` (PTX ISA, matrix fragments).
 */
export function tileOffset(row: number, column: number, columns: number): number {
  const tile =
    Math.floor(row / TILE_ROWS) * ceilDiv(columns, TILE_COLUMNS) + Math.floor(column / TILE_COLUMNS);
  const half = (row >> 3) & 1;
  const lane = (row & 7) * 4 + ((column >> 1) & 3);
  const within = ((column >> 4) & 3) * 4 + ((column >> 3) & 1) * 2 + (column & 1);
  return tile * TILE_BYTES + half * (TILE_BYTES / 2) + lane * 16 + within;
}

export interface TilingOperands {
  /** Address of [rows, columns] i8. */
  readonly source: number;
  readonly rows: number;
  readonly columns: number;
  /** Address of the tiles. */
  readonly target: number;
}

/** Arranges a row-major int8 matrix in tiles on all threads of the pool. */
export function bindTiler(library: NativeLibrary, pool: number): (operands: TilingOperands) => void {
  const run = library.bind(
    'void aloft_linear_cuda_tiles(uint64_t pool, uint64_t source, int64_t rows, int64_t columns, uint64_t target)',
  );
  return ({ source, rows, columns, target }) => {
    run(pool, source, rows, columns, target);
  };
}
