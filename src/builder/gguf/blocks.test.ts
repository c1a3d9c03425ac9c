import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { halfToFloat } from '../../core/dtype.js';
import { decodeBlocks, GGUF_TYPES, readCodedBlocks } from './blocks.js';

interface Reference {
  readonly types: Readonly<
    Record<string, { readonly bytes: readonly number[][]; readonly values: readonly number[][] }>
  >;
}

/** Written by oracle/scripts/gguf_blocks.py. */
const { types } = JSON.parse(
  readFileSync(new URL('../../../oracle/gguf-blocks.json', import.meta.url), 'utf8'),
) as Reference;

const blockTypes = [...GGUF_TYPES.values()].filter(({ decode }) => decode !== undefined);

test('every type of blocks has a reference', () => {
  expect(Object.keys(types).toSorted()).toEqual(blockTypes.map(({ name }) => name).toSorted());
});

test.each(blockTypes.map((type) => [type.name, type] as const))(
  '%s has the values of its reference',
  (name, type) => {
    const { bytes, values } = types[name]!;
    const expected = Float32Array.from(values.flat());
    const actual = new Float32Array(expected.length);
    decodeBlocks(type, Uint8Array.from(bytes.flat()), actual);
    const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    for (const [i, value] of expected.entries())
      expect(Math.abs(actual[i]! - value)).toBeLessThan(1e-6 * largest);
  },
);

test.each(blockTypes.filter(({ coded }) => coded !== undefined).map((type) => [type.name, type] as const))(
  '%s has codes and scales that mean the same values',
  (name, type) => {
    const { bytes, values } = types[name]!;
    const codes = new Int8Array(values.flat().length);
    const scales = new Uint16Array(values.length);
    readCodedBlocks(type, Uint8Array.from(bytes.flat()), { codes, scales });
    expect(type.coded!.format.group).toBe(type.blockValues);
    for (const [block, expected] of values.entries())
      for (const [i, value] of expected.entries())
        expect(codes[block * type.blockValues + i]! * halfToFloat(scales[block]!)).toBeCloseTo(value, 9);
  },
);
