/** Distance of a result from its reference: the largest difference, in units of the largest magnitude of the reference. */
export function relativeError(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Infinity;
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), Number.MIN_VALUE);
  let error = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!) / largest;
    if (!(difference <= error)) error = Number.isNaN(difference) ? Infinity : difference;
  }
  return error;
}

/** Index of the first number that is another one, -1 if there is none. Matchers of the test runner take seconds for a million. */
export function firstDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const count = Math.max(actual.length, expected.length);
  for (let i = 0; i < count; i++) if (!Object.is(actual[i], expected[i])) return i;
  return -1;
}
