import { expect, it } from 'vitest';
import { describeGpuKernels, type TestKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { quantiseRow } from '../linear/reference.js';
import { type Matrix, randomMatrix, rowOf } from '../matrix.js';
import { CUDA_DTYPES, roundActivations, roundoff } from '../testing/activations.js';
import { relativeError } from '../testing/compare.js';
import { expertDownLaunch, expertGateUpLaunch, routeLaunch } from './cuda.js';
import { expertDownReference, expertGateUpReference, routeReference } from './reference.js';

/** Exponentials are a little less exact than f32. */
const SHARE_TOLERANCE = 1e-5;
/** The result is rounded once; sums of products are in f32. */
const ROUNDINGS = 2;
const SIZES = [
  [1, 2, 1],
  [5, 8, 2],
  [33, 128, 8],
  [3, 256, 16],
] as const;
const [EXPERTS, PER_TOKEN, HIDDEN, INTER] = [6, 3, 264, 72];

/** A weight on the device, and the values that it has there. */
function uploadWeight(kernels: TestKernels, weight: Matrix, isInt8: boolean) {
  if (!isInt8) {
    const data = roundActivations(weight.data, kernels.dtype);
    return { weight: kernels.uploadActivations(data), scale: 0, values: { ...weight, data } };
  }
  const rows = Array.from({ length: weight.rowCount }, (_, row) => quantiseRow(rowOf(weight, row)));
  const codes = Int8Array.from(rows.flatMap(({ quantised }) => Array.from(quantised)));
  const scales = Float32Array.from(rows, ({ scale }) => scale);
  const data = Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / weight.columnCount)]!);
  return { weight: kernels.upload(codes), scale: kernels.upload(scales), values: { ...weight, data } };
}

describeGpuKernels('experts', (open) => {
  it.each(SIZES.flatMap((size) => [true, false].map((isNormalised) => [...size, isNormalised] as const)))(
    'routes %i tokens among %i experts, %i a token, normalised %s',
    (tokens, experts, perToken, isNormalised) => {
      const kernels = open({ dtype: 'f16', isMixture: true });
      const logits = randomMatrix(tokens, experts, seededRandom(experts));
      logits.data.forEach((value, i) => (logits.data[i] = 6 * value));
      const routes = kernels.reserve(8 * tokens * perToken);
      const normalises = isNormalised ? 1 : 0;
      const args = { logits: kernels.upload(logits.data), routes, experts, perToken, normalises };
      kernels.run(routeLaunch(tokens, args));
      const { data } = routeReference(logits, { expertsPerToken: perToken, isNormalised });
      const actual = kernels.floats(routes, data.length);
      for (const [i, value] of data.entries())
        expect(Math.abs(actual[i]! - value)).toBeLessThan(SHARE_TOLERANCE);
    },
  );

  it.each(CUDA_DTYPES.flatMap((dtype) => [false, true].map((isInt8) => [dtype, isInt8] as const)))(
    'equal the reference in %s, int8 weights %s',
    (dtype, isInt8) => {
      const kernels = open({ dtype, isMixture: true });
      const [random, tokens] = [seededRandom(3), 19];
      const x = randomMatrix(tokens, HIDDEN, random);
      const data = roundActivations(x.data, dtype);
      const logits = randomMatrix(tokens, EXPERTS, random);
      const routes = routeReference(logits, { expertsPerToken: PER_TOKEN, isNormalised: true });
      const gateUp = uploadWeight(kernels, randomMatrix(EXPERTS * 2 * INTER, HIDDEN, random), isInt8);
      const down = uploadWeight(kernels, randomMatrix(EXPERTS * HIDDEN, INTER, random), isInt8);
      const routesAt = kernels.upload(routes.data);
      const [gatedAt, out] = [tokens * PER_TOKEN * INTER, tokens * HIDDEN].map((count) =>
        kernels.reserve(2 * count),
      );

      kernels.run(
        expertGateUpLaunch(tokens, {
          x: kernels.uploadActivations(data),
          routes: routesAt,
          weight: gateUp.weight,
          scale: gateUp.scale,
          out: gatedAt!,
          in: HIDDEN,
          columns: INTER,
          perToken: PER_TOKEN,
        }),
      );
      const expected = expertGateUpReference({ ...x, data }, routes, gateUp.values, EXPERTS);
      const gated = kernels.activations(gatedAt!, expected.data.length);
      expect(relativeError(gated, expected.data)).toBeLessThan(ROUNDINGS * roundoff(dtype));

      kernels.run(
        expertDownLaunch(tokens, {
          x: gatedAt!,
          routes: routesAt,
          weight: down.weight,
          scale: down.scale,
          out: out!,
          in: INTER,
          columns: HIDDEN,
          perToken: PER_TOKEN,
        }),
      );
      const result = expertDownReference({ ...expected, data: gated }, routes, down.values, EXPERTS);
      const actual = kernels.activations(out!, result.data.length);
      expect(relativeError(actual, result.data)).toBeLessThan(ROUNDINGS * roundoff(dtype));
    },
  );
});
