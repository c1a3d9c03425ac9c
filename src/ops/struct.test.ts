import { expect, test } from 'vitest';
import { Struct, structMemory } from './struct.js';

const MIXED = new Struct('Mixed', 'nowhere.cu', {
  count: 'i32',
  at: 'address',
  map: 'tensorMap',
  scale: 'f32',
  seed: 'u64',
  step: 'i64',
  share: 'f64',
});

test('fields lie at multiples of their size, and the struct ends at a multiple of the largest', () => {
  expect(MIXED.fields.map(({ name, offset }) => [name, offset])).toEqual([
    ['count', 0],
    ['at', 8],
    ['map', 64],
    ['scale', 192],
    ['seed', 200],
    ['step', 208],
    ['share', 216],
  ]);
  expect([MIXED.byteLength, MIXED.alignment]).toEqual([256, 64]);
});

test('values are written by name, whatever their order, over what was there', () => {
  const memory = structMemory(new ArrayBuffer(320));
  memory.bytes.fill(0xaa);
  const map = Uint8Array.from({ length: 128 }, (_, i) => i);
  const { values } = MIXED.of({
    share: -0.1,
    step: -3,
    seed: 2n ** 64n - 5n,
    scale: 0.5,
    map,
    at: 0x7f1234567890,
    count: -7,
  });
  MIXED.write(memory, 64, values);
  const { view, bytes } = memory;
  expect(view.getInt32(64, true)).toBe(-7);
  expect(view.getBigUint64(64 + 8, true)).toBe(0x7f1234567890n);
  expect(bytes.slice(128, 256)).toEqual(map);
  expect(view.getFloat32(64 + 192, true)).toBe(0.5);
  expect(view.getBigUint64(64 + 200, true)).toBe(2n ** 64n - 5n);
  expect(view.getBigInt64(64 + 208, true)).toBe(-3n);
  expect(view.getFloat64(64 + 216, true)).toBe(-0.1);
  MIXED.write(memory, 64, { ...values, map: undefined, step: 2 ** 53 - 1 });
  expect(bytes.slice(128, 256)).toEqual(new Uint8Array(128));
  expect(view.getBigInt64(64 + 208, true)).toBe(2n ** 53n - 1n);
});
