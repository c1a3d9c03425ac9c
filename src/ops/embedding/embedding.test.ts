import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat } from '../../core/dtype.js';
import { seededRandom } from '../../core/random.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { randomMatrix, zeroMatrix, type Matrix } from '../matrix.js';
import { bindEmbedding, TABLE_CODE } from './cpu.js';
import { embeddingReference } from './reference.js';

const VOCABULARY = 50;

/** The table in each stored type, and the exact values that the stored bits stand for. */
function storedTables(table: Matrix) {
  const half = Uint16Array.from(table.data, (value) => floatToHalf(value * 1e-3)); // some are subnormal
  const brain = Uint16Array.from(table.data, floatToBfloat16);
  const bytes = Int8Array.from(table.data, (value) => Math.round(value * 127));
  const scales = Float32Array.from({ length: VOCABULARY }, (_, row) => 2 ** -(row % 7));
  const scaled = (value: number, index: number): number =>
    value * scales[Math.floor(index / table.columnCount)]!;
  return {
    f32: { bits: table.data, scales, values: table.data },
    f16: { bits: half, scales, values: Float32Array.from(half, halfToFloat) },
    bf16: { bits: brain, scales, values: Float32Array.from(brain, bfloat16ToFloat) },
    int8: { bits: bytes, scales, values: Float32Array.from(bytes, scaled) },
  };
}

const ELEMENTS = ['f32', 'f16', 'bf16', 'int8'] as const;

describe('embedding on the CPU', () => {
  it.each([
    [1, 1],
    [3, 17],
    [40, 256],
  ])('equals the reference in every table type for %i tokens of %i', (tokenCount, hidden) => {
    const random = seededRandom(hidden);
    const stored = storedTables(randomMatrix(VOCABULARY, hidden, random));
    const tokenIds = Int32Array.from({ length: tokenCount }, () => Math.floor(random.next() * VOCABULARY));
    for (const name of ELEMENTS) {
      const dtype = TABLE_CODE[name];
      const { bits, scales, values } = stored[name];
      const table = { rowCount: VOCABULARY, columnCount: hidden, data: values };
      const factor = hidden === 17 ? 7.5625 : 1;
      const expected = embeddingReference(table, tokenIds, factor);
      withEachLevel(2, (pool) => {
        const out = zeroMatrix(tokenCount, hidden);
        const [tableAt, scale, ids, to] = [bits, scales, tokenIds, out.data].map(addressOf) as [
          number,
          number,
          number,
          number,
        ];
        bindEmbedding(pool.library)(pool.handle, tableAt, scale, dtype, ids, to, tokenCount, hidden, factor);
        expect(out, name).toEqual(expected);
      });
    }
  });

  it('decodes every half exactly', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const expected = Float32Array.from(bits, halfToFloat);
    withEachLevel(1, (pool) => {
      const out = new Float32Array(65536);
      const [table, ids, to] = [bits, Int32Array.of(0), out].map(addressOf) as [number, number, number];
      bindEmbedding(pool.library)(pool.handle, table, 0, TABLE_CODE.f16, ids, to, 1, 65536, 1);
      expect(out).toEqual(expected);
    });
  });
});
