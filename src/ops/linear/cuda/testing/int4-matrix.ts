/** Random int4 weights, and the tiles in which kernels read them, by their documentation. */
import { floatToHalf, halfToFloat } from '../../../../core/dtype.js';
import type { RandomSource } from '../../../../core/random.js';
import type { Matrix } from '../../../matrix.js';
import { INT4_OFFSET, int4GroupPlace, type Int4Groups, int4Place, int4Tile } from '../int4-tiles.js';
import { tileShape } from '../tiles.js';

/** Codes with what belongs to them, [rows, columns] and [rows, groups], as `WeightData` has them. */
export interface Int4Matrix {
  readonly codes: Int8Array;
  /** f16 bits. */
  readonly scales: Uint16Array;
  /** Without zeros, all 0. */
  readonly zeros: Uint8Array;
}

/** Every code and zero occurs; a fifth of the scales is negative, and some are 0. */
export function randomInt4(
  { group, hasZeros }: Int4Groups,
  rows: number,
  columns: number,
  random: RandomSource,
): Int4Matrix {
  const integer = (count: number): number => Math.floor(random.next() * count);
  const count = rows * Math.ceil(columns / group);
  const scale = (): number =>
    integer(50) === 0 ? 0 : ((integer(5) === 0 ? -1 : 1) * (0.5 + random.next())) / 8;
  return {
    codes: Int8Array.from({ length: rows * columns }, () => integer(16) - (hasZeros ? 0 : INT4_OFFSET)),
    scales: Uint16Array.from({ length: count }, () => floatToHalf(scale())),
    zeros: Uint8Array.from({ length: count }, () => (hasZeros ? integer(16) : 0)),
  };
}

/** The values that codes stand for. */
function valuesOfInt4({ group }: Int4Groups, { codes, scales, zeros }: Int4Matrix, columns: number): Matrix {
  const groups = Math.ceil(columns / group);
  const data = Float32Array.from(codes, (code, i) => {
    const at = Math.floor(i / columns) * groups + Math.floor((i % columns) / group);
    return (code - zeros[at]!) * halfToFloat(scales[at]!);
  });
  return { rowCount: codes.length / columns, columnCount: columns, data };
}

/** Tiles of codes. Beside the matrix, scales are 0 and nibbles those of a weight of 0 where a group reaches there. */
export function tilesOfInt4(
  groups: Int4Groups,
  { codes, scales, zeros }: Int4Matrix,
  rows: number,
  columns: number,
): Uint8Array<ArrayBuffer> {
  const { group, hasZeros } = groups;
  const tile = int4Tile(groups);
  const [down, across, bytes] = tileShape(tile, rows, columns);
  const tiles = new Uint8Array(new ArrayBuffer(down * across * bytes));
  const view = new DataView(tiles.buffer);
  const groupCount = Math.ceil(columns / group);
  for (let row = 0; row < down * 16; row++)
    for (let column = 0; column < across * tile.columns; column++) {
      const at = row * groupCount + Math.floor(column / group);
      const hasGroup = row < rows && column < groupCount * group;
      const zero = hasZeros ? (hasGroup ? zeros[at]! : 0) : INT4_OFFSET;
      const isInside = row < rows && column < columns;
      const nibble = isInside ? codes[row * columns + column]! + (hasZeros ? 0 : INT4_OFFSET) : zero;
      const { offset, shift } = int4Place(groups, row, column, columns);
      tiles[offset]! |= nibble << shift;
      if (column % group !== 0 || !hasGroup) continue;
      const place = int4GroupPlace(groups, row, column, columns);
      view.setUint16(place.scale, scales[at]!, true);
      if (hasZeros) tiles[place.zero] = zeros[at]!;
    }
  return tiles;
}

/** A random matrix as the reference and as kernels read it. */
export function packInt4(
  groups: Int4Groups,
  rows: number,
  columns: number,
  random: RandomSource,
): { readonly values: Matrix; readonly tiles: Uint8Array<ArrayBuffer> } {
  const matrix = randomInt4(groups, rows, columns, random);
  return {
    values: valuesOfInt4(groups, matrix, columns),
    tiles: tilesOfInt4(groups, matrix, rows, columns),
  };
}
