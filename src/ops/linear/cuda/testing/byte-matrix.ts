/** Random weights of a byte each, and the tiles in which kernels read them, by their documentation. */
import { e4m3ToFloat } from '../../../../core/dtype.js';
import type { RandomSource } from '../../../../core/random.js';
import type { WeightFormat } from '../../../../plan/weight-format.js';
import type { Matrix } from '../../../matrix.js';
import { storedWeights } from '../stored-weights.js';
import { BYTE_TILE, INT8_OFFSET, tileOffset, tileShape } from '../tiles.js';

/** Weights of a byte as they are stored. */
interface ByteCodes {
  /** A code, all of which are likely. @param share in [0, 1) */
  readonly draw: (share: number) => number;
  readonly value: (code: number) => number;
  readonly largest: number;
  /** Code of a weight of 0. */
  readonly zero: number;
}

const INT8_CODES: ByteCodes = {
  draw: (share) => Math.floor(share * 255) - 127 + INT8_OFFSET,
  value: (code) => code - INT8_OFFSET,
  largest: 127,
  zero: INT8_OFFSET,
};

/** All numbers, but no NaN. */
const FP8_CODES: ByteCodes = {
  draw: (share) => Math.floor(share * 127) + (Math.floor(share * 127 * 2) % 2) * 0x80,
  value: e4m3ToFloat,
  largest: 448,
  zero: 0,
};

/** Weights of a byte in tiles; what is beside the matrix is zero. */
function tilesOf(codes: Uint8Array, rows: number, columns: number, zero: number): Uint8Array {
  const byteLength = tileShape(BYTE_TILE, rows, columns).reduce((product, size) => product * size);
  const tiles = new Uint8Array(byteLength).fill(zero);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      tiles[tileOffset(row, column, columns)] = codes[row * columns + column]!;
  return tiles;
}

/** A random matrix as the reference and as kernels read it, with a scale for each row. */
export function packBytes(
  format: WeightFormat,
  rows: number,
  columns: number,
  random: RandomSource,
): { readonly values: Matrix; readonly tiles: Uint8Array; readonly scales: Float32Array } {
  const bytes = storedWeights(format).kind === 'fp8' ? FP8_CODES : INT8_CODES;
  const codes = Uint8Array.from({ length: rows * columns }, () => bytes.draw(random.next()));
  const scales = Float32Array.from({ length: rows }, () => (0.5 + random.next()) / bytes.largest);
  const data = Float32Array.from(codes, (code, i) => bytes.value(code) * scales[Math.floor(i / columns)]!);
  return {
    values: { rowCount: rows, columnCount: columns, data },
    tiles: tilesOf(codes, rows, columns, bytes.zero),
    scales,
  };
}
