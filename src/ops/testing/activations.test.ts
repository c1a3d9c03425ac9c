import { expect, test } from 'vitest';
import { CUDA_DTYPES, largestUlps, roundActivations, roundoff } from './activations.js';

test.each(CUDA_DTYPES)('what is rounded to %s is half a unit away, and less than the roundoff', (dtype) => {
  const values = Float32Array.from({ length: 10_000 }, (_, i) => (i % 2 ? -1 : 1) * 1.0003 ** (i - 5000));
  const rounded = roundActivations(values, dtype);
  expect(largestUlps(rounded, values, dtype)).toBeLessThanOrEqual(0.5);
  expect(largestUlps(rounded, values, dtype)).toBeGreaterThan(0.49);
  for (const [i, value] of values.entries())
    expect(Math.abs(rounded[i]! - value)).toBeLessThanOrEqual(Math.abs(value) * roundoff(dtype));
  const next = roundActivations(
    rounded.map((value) => value * (1 + 2.1 * roundoff(dtype))),
    dtype,
  );
  expect(largestUlps(next, values, dtype)).toBeGreaterThan(0.9);
});

test('only one number of a pair is infinitely far from the other', () => {
  const far = (a: number, b: number) => largestUlps(Float32Array.of(a), Float32Array.of(b), 'f16');
  expect([far(NaN, 1), far(1, NaN), far(Infinity, 1)]).toEqual([Infinity, Infinity, Infinity]);
  expect([far(NaN, NaN), far(0, 0), far(2 ** -24, 0)]).toEqual([0, 0, 1]);
});
