import { expect, it } from 'vitest';
import { describeGpuKernels, type TestKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { quantiseFp8Row, quantiseRow, restoreFp8 } from '../linear/reference.js';
import { type Matrix, randomMatrix, rowOf } from '../matrix.js';
import { CUDA_DTYPES, roundActivations, roundoff } from '../testing/activations.js';
import { relativeError } from '../testing/compare.js';
import { expertDownLaunch, expertGateUpLaunch, type ExpertKind, routeLaunch } from './cuda.js';
import { expertDownReference, expertGateUpReference, routeReference } from './reference.js';

/** Exponentials are a little less exact than f32. */
const SHARE_TOLERANCE = 1e-5;
/** The result is rounded once; sums of products are in f32. */
const ROUNDINGS = 2;
const KINDS: readonly ExpertKind[] = ['dense', 'int8', 'fp8'];
const SIZES = [
  [1, 2, 1],
  [5, 8, 2],
  [33, 128, 8],
  [3, 256, 16],
] as const;
const [EXPERTS, PER_TOKEN, HIDDEN, INTER] = [6, 3, 264, 72];

function int8Row(row: Float32Array) {
  const { quantised, scale } = quantiseRow(row);
  const values = Float32Array.from(quantised, (code) => code * scale);
  return { codes: new Uint8Array(quantised.buffer), scale, values };
}

function fp8Row(row: Float32Array) {
  const fp8 = quantiseFp8Row(row);
  return { ...fp8, values: restoreFp8(fp8) };
}

/** A weight on the device, and the values that it has there. */
function uploadWeight(kernels: TestKernels, weight: Matrix, kind: ExpertKind) {
  if (kind === 'dense') {
    const data = roundActivations(weight.data, kernels.dtype);
    return { weight: kernels.uploadActivations(data), scale: 0, values: { ...weight, data } };
  }
  const lines = Array.from({ length: weight.rowCount }, (_, row) => rowOf(weight, row));
  const rows = kind === 'fp8' ? lines.map(fp8Row) : lines.map(int8Row);
  const codes = Uint8Array.from(rows.flatMap((row) => Array.from(row.codes)));
  const scales = Float32Array.from(rows, ({ scale }) => scale);
  const data = Float32Array.from(rows.flatMap(({ values }) => Array.from(values)));
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

  it.each(CUDA_DTYPES.flatMap((dtype) => KINDS.map((kind) => [dtype, kind] as const)))(
    'equal the reference in %s with %s weights',
    (dtype, kind) => {
      const kernels = open({ dtype, isMixture: true });
      const [random, tokens] = [seededRandom(3), 19];
      const x = randomMatrix(tokens, HIDDEN, random);
      const data = roundActivations(x.data, dtype);
      const logits = randomMatrix(tokens, EXPERTS, random);
      const routes = routeReference(logits, { expertsPerToken: PER_TOKEN, isNormalised: true });
      const gateUp = uploadWeight(kernels, randomMatrix(EXPERTS * 2 * INTER, HIDDEN, random), kind);
      const down = uploadWeight(kernels, randomMatrix(EXPERTS * HIDDEN, INTER, random), kind);
      const routesAt = kernels.upload(routes.data);
      const [gatedAt, out] = [tokens * PER_TOKEN * INTER, tokens * HIDDEN].map((count) =>
        kernels.reserve(2 * count),
      );

      kernels.run(
        expertGateUpLaunch(tokens, kind, {
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
        expertDownLaunch(tokens, kind, {
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
