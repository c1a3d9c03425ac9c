import { expect, it } from 'vitest';
import { describeGpuKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { randomMatrix } from '../matrix.js';
import { CUDA_DTYPES, largestUlps, roundActivations } from '../testing/activations.js';
import { firstDifference } from '../testing/compare.js';
import { rmsNormLaunch } from './cuda.js';
import { rmsNormReference } from './reference.js';

/** Rows, and heads of 16 that make a row: a block of threads takes 2,048 numbers at a time. */
const SIZES = [
  [1, 1],
  [3, 17],
  [2, 128],
  [5, 129],
  [33, 512],
] as const;
const CASES = CUDA_DTYPES.flatMap((dtype) => SIZES.map((size) => [dtype, ...size] as const));
const HEAD_DIM = 16;
const EPSILON = 1e-5;
/** The result is rounded once; the sum of squares and the root are in f32. */
const MAX_ULPS = 0.52;

describeGpuKernels('rmsNorm', (open) => {
  it.each(CASES)('equals the reference in %s for %i rows of %i heads', (dtype, rows, headCount) => {
    const columns = headCount * HEAD_DIM;
    const kernels = open({ dtype, heads: { headCount, kvHeadCount: headCount, headDim: HEAD_DIM } });
    const random = seededRandom(columns);
    const x = roundActivations(randomMatrix(rows, columns, random).data, dtype);
    const weight = roundActivations(randomMatrix(1, columns, random).data, dtype);
    const out = kernels.reserve(2 * rows * columns);
    const [xAt, weightAt] = [kernels.uploadActivations(x), kernels.uploadActivations(weight)];
    kernels.run(rmsNormLaunch(rows, EPSILON, { x: xAt, delta: null, weight: weightAt, out }));
    const expected = rmsNormReference({ rowCount: rows, columnCount: columns, data: x }, weight, EPSILON);
    const actual = kernels.activations(out, rows * columns);
    expect(largestUlps(actual, expected.data, dtype)).toBeLessThan(MAX_ULPS);
    expect(firstDifference(kernels.activations(xAt, x.length), x)).toBe(-1);
  });

  it.each(CASES)('adds first in %s, for %i rows of %i heads', (dtype, rows, headCount) => {
    const columns = headCount * HEAD_DIM;
    const kernels = open({ dtype, heads: { headCount, kvHeadCount: headCount, headDim: HEAD_DIM } });
    const random = seededRandom(columns + 1);
    const [x, delta] = [1, 2].map(() => roundActivations(randomMatrix(rows, columns, random).data, dtype));
    const weight = roundActivations(randomMatrix(1, columns, random).data, dtype);
    const out = kernels.reserve(2 * rows * columns);
    const [xAt, deltaAt, weightAt] = [x!, delta!, weight].map((values) => kernels.uploadActivations(values));
    const operands = { x: xAt!, delta: deltaAt!, weight: weightAt!, out };
    kernels.run(rmsNormLaunch(rows, EPSILON, operands));
    // The sum is stored as activations, and the norm is that of what was stored.
    const sum = roundActivations(
      x!.map((value, i) => value + delta![i]!),
      dtype,
    );
    expect(firstDifference(kernels.activations(xAt!, sum.length), sum)).toBe(-1);
    const expected = rmsNormReference({ rowCount: rows, columnCount: columns, data: sum }, weight, EPSILON);
    const actual = kernels.activations(out, rows * columns);
    expect(largestUlps(actual, expected.data, dtype)).toBeLessThan(MAX_ULPS);
  });
});
