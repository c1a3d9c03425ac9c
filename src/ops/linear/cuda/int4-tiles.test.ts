/** int4 in tiles: the native packer against the documented places. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../core/random.js';
import { createCpuPool } from '../../../device/cpu/kernel-library.js';
import { addressOf } from '../../../ffi/memory.js';
import { bindInt4Tiler } from './int4-tiles.js';
import { LINEAR_FORMATS, storedWeights } from './stored-weights.js';
import { type Int4Matrix, randomInt4, tilesOfInt4 } from './testing/int4-matrix.js';

const FORMATS = LINEAR_FORMATS.map(storedWeights).flatMap((stored) =>
  stored.groups === undefined ? [] : [{ ...stored, groups: stored.groups }],
);

describe.each(FORMATS)('tiles of $key', ({ groups }) => {
  it.each([
    [1, 1],
    [15, 33],
    [16, 128],
    [37, 130],
    [40, 712],
  ])('are where the documentation says, of [%i, %i]', (rows, columns) => {
    const pool = createCpuPool({ threadCount: 2 });
    const matrix = randomInt4(groups, rows, columns, seededRandom(rows));
    // Padding rows that the source does not have.
    const padded = rows + 20;
    const expected = tilesOfInt4(groups, withZeroRows(matrix, rows, padded), padded, columns);
    const tiles = new Uint8Array(expected.length).fill(0x55);
    const { codes, scales, zeros } = matrix;
    bindInt4Tiler(
      pool.library,
      pool.handle,
    )({
      ...{ ...groups, codes: addressOf(codes), scales: addressOf(scales) },
      zeros: groups.hasZeros ? addressOf(zeros) : 0,
      ...{ sourceRows: rows, rows: padded, columns, target: addressOf(tiles) },
    });
    expect(tiles).toEqual(expected);
    pool.dispose();
  });
});

/** The matrix with rows of zeros after its own. */
function withZeroRows({ codes, scales, zeros }: Int4Matrix, rows: number, padded: number): Int4Matrix {
  const sized = <Numbers extends Int8Array | Uint16Array | Uint8Array>(from: Numbers): Numbers => {
    const all = new (from.constructor as new (length: number) => Numbers)((from.length / rows) * padded);
    all.set(from);
    return all;
  };
  return { codes: sized(codes), scales: sized(scales), zeros: sized(zeros) };
}
