import { expect, test } from 'vitest';
import { bfloat16ToFloat, halfToFloat } from '../core/dtype.js';
import { floatValues } from './float-values.js';

const EVERY = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);

test.each([
  ['f16', halfToFloat],
  ['bf16', bfloat16ToFloat],
] as const)('every value of %s', (dtype, toFloat) => {
  const values = floatValues({ dtype, shape: [256, 256], bytes: new Uint8Array(EVERY.buffer) });
  expect(values).toEqual(Float32Array.from(EVERY, toFloat));
});

test('values of f32 are a copy of their own', () => {
  const given = Float32Array.of(1, -2.5, NaN, Infinity);
  const bytes = new Uint8Array(given.buffer);
  const values = floatValues({ dtype: 'f32', shape: [4], bytes });
  bytes.fill(0);
  expect(values).toEqual(Float32Array.of(1, -2.5, NaN, Infinity));
});
