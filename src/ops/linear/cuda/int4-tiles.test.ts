/** int4 in tiles: the native packer against the documented places, and kernels' operands made of them by a C++ compiler. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../core/random.js';
import { createCpuPool } from '../../../device/cpu/kernel-library.js';
import { addressOf } from '../../../ffi/memory.js';
import { CUDA_DTYPES, roundoff } from '../../testing/activations.js';
import { bindInt4Tiler } from './int4-tiles.js';
import { LINEAR_FORMATS, storedWeights } from './stored-weights.js';
import { type Int4Matrix, randomInt4, tilesOfInt4, valuesOfInt4 } from './testing/int4-matrix.js';

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

const SOURCES = fileURLToPath(new URL('../../../../src/ops', import.meta.url));
/** Headers that the program has its own version of. */
const REPLACED = ['act', 'pairs', 'memory', 'async', 'mma', 'int8', 'types', 'launch', 'warp'];
const compiler = process.env['CXX'] ?? 'g++';

describe.each(CUDA_DTYPES)('operands in %s', (dtype) => {
  const folder = mkdtempSync(join(tmpdir(), 'aloft-int4-'));
  const program = join(folder, 'operands');
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are made by code that a host compiles', () => {
    mkdirSync(join(folder, 'cuda'));
    for (const name of REPLACED) writeFileSync(join(folder, 'cuda', `${name}.cuh`), '');
    const flags = ['-std=c++20', '-x', 'c++', `-I${folder}`, `-I${SOURCES}`];
    const defines = dtype === 'bf16' ? ['-DACT_BF16'] : [];
    const source = join(SOURCES, 'linear/cuda/testing/int4-on-host.h');
    const { status, stderr } = spawnSync(compiler, [...flags, ...defines, source, '-o', program]);
    expect(status, String(stderr)).toBe(0);
  }, 120_000);

  it.each(FORMATS)('of $key are the weights in the order of products', ({ groups, templateArgument }) => {
    for (let seed = 0; seed < 4; seed++) {
      const matrix = randomInt4(groups, 16, 128, seededRandom(seed));
      const tile = tilesOfInt4(groups, matrix, 16, 128);
      const { status, stdout } = spawnSync(program, [templateArgument], { input: tile });
      expect(status).toBe(0);
      const numbers = Array.from(new Float64Array(Uint8Array.from(stdout).buffer));
      const values = Array.from(valuesOfInt4(groups, matrix, 128).data);
      for (const [i, value] of values.entries()) {
        // Integers are exact, and products with a scale of f16 have fewer bits than f32.
        expect(numbers[i]!).toBeCloseTo(value, 12);
        expect(numbers[2 * values.length + i]!).toBeCloseTo(value, 12);
        // With the scale in it, an operand is rounded once; a bf16 one is off by another 2^-16 at most.
        for (const matrix of [1, 3]) {
          const error = Math.abs(numbers[matrix * values.length + i]! - value);
          expect(error).toBeLessThanOrEqual(Math.abs(value) * (roundoff(dtype) + 2 ** -16));
        }
      }
      expect(numbers).toHaveLength(4 * values.length);
    }
  });
});
