import { describe, expect, test } from 'vitest';
import {
  bfloat16ToFloat,
  e4m3ToFloat,
  elementCount,
  floatToBfloat16,
  floatToE4m3,
  floatToHalf,
  halfToFloat,
  tensorBytes,
} from './dtype.js';

const EVERY_16_BITS = Array.from({ length: 65536 }, (_, bits) => bits);

describe('binary16', () => {
  test('every value survives the way to a number and back', () => {
    const faults = EVERY_16_BITS.filter((bits) => {
      const value = halfToFloat(bits);
      return Number.isNaN(value)
        ? !Number.isNaN(halfToFloat(floatToHalf(value)))
        : floatToHalf(value) !== bits;
    });
    expect(faults).toEqual([]);
  });

  test('numbers between two neighbours go to the nearer one, ties to the even one', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = halfToFloat(bits);
      const high = halfToFloat(bits + 1);
      const middle = (low + high) / 2; // exact in binary64 and binary32
      expect(floatToHalf(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(floatToHalf(Math.fround(low + (high - low) / 4))).toBe(bits);
      expect(floatToHalf(Math.fround(low + ((high - low) * 3) / 4))).toBe(bits + 1);
    }
  });

  test.each([
    [65519, 0x7bff],
    [65520, 0x7c00],
    [-1e9, 0xfc00],
    [2 ** -25, 0],
    [2 ** -24, 1],
    [-0, 0x8000],
  ])('%d -> %i', (value, bits) => expect(floatToHalf(value)).toBe(bits));
});

describe('FP8 E4M3', () => {
  const codes = Array.from({ length: 0x7f }, (_, bits) => bits);

  test('every value survives the way to a number and back', () => {
    const signed = [...codes, ...codes.map((bits) => bits | 0x80)];
    expect(signed.filter((bits) => floatToE4m3(e4m3ToFloat(bits)) !== bits)).toEqual([]);
    expect([e4m3ToFloat(0x7f), e4m3ToFloat(0xff), e4m3ToFloat(floatToE4m3(NaN))]).toEqual([NaN, NaN, NaN]);
  });

  test('numbers between two neighbours go to the nearer one, ties to the even one', () => {
    for (const bits of codes.slice(0, -1)) {
      const [low, high] = [e4m3ToFloat(bits), e4m3ToFloat(bits + 1)];
      expect(floatToE4m3((low + high) / 2)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(floatToE4m3(low + (high - low) * 0.49)).toBe(bits);
      expect(floatToE4m3(low + (high - low) * 0.51)).toBe(bits + 1);
    }
  });

  test.each([
    [1, 0x38],
    [448, 0x7e],
    [1e9, 0x7e],
    [-Infinity, 0xfe],
    [2 ** -10, 0],
    [2 ** -9, 1],
    [-0, 0x80],
  ])('%d -> %i', (value, bits) => expect(floatToE4m3(value)).toBe(bits));
});

describe('bfloat16', () => {
  test('every value survives the way to a number and back', () => {
    const faults = EVERY_16_BITS.filter((bits) => {
      const value = bfloat16ToFloat(bits);
      return Number.isNaN(value)
        ? !Number.isNaN(bfloat16ToFloat(floatToBfloat16(value)))
        : floatToBfloat16(value) !== bits;
    });
    expect(faults).toEqual([]);
  });

  test('ties go to the even neighbour', () => {
    expect(floatToBfloat16(1 + 2 ** -8)).toBe(0x3f80);
    expect(floatToBfloat16(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(floatToBfloat16(3.4e38)).toBe(0x7f80);
  });
});

test('tensor sizes', () => {
  expect(elementCount([])).toBe(1);
  expect(tensorBytes('f16', [3, 5])).toBe(30);
});
