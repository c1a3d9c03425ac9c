import { expect, it } from 'vitest';
import { describeGpuKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { randomMatrix } from '../matrix.js';
import { CUDA_DTYPES, largestUlps, roundActivations } from '../testing/activations.js';
import { firstDifference } from '../testing/compare.js';
import { rmsNormCodesLaunch, rmsNormLaunch } from './cuda.js';
import { floatToE4m3 } from '../../core/dtype.js';
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

  it.each(
    CUDA_DTYPES.flatMap((dtype) =>
      (['int8', 'fp8'] as const).flatMap((weights) =>
        [8, 256].map((headCount) => [dtype, weights, headCount] as const),
      ),
    ),
  )('rounds to 8 bits what it gives in %s, for %s weights and %i heads', (dtype, weights, headCount) => {
    const columns = headCount * HEAD_DIM;
    const rows = 5;
    const heads = { headCount, kvHeadCount: headCount, headDim: HEAD_DIM };
    const kernels = open({ dtype, heads, weights, inputBits: 8 });
    const random = seededRandom(columns + 2);
    const [x, delta] = [1, 2].map(() => roundActivations(randomMatrix(rows, columns, random).data, dtype));
    x!.fill(0, 0, columns);
    delta!.fill(0, 0, columns);
    const weight = roundActivations(randomMatrix(1, columns, random).data, dtype);
    const deltaAt = kernels.uploadActivations(delta!);
    const weightAt = kernels.uploadActivations(weight);
    const [out, codesAt, scale] = [2 * rows * columns, rows * columns, 4 * rows].map((bytes) =>
      kernels.reserve(bytes),
    );
    const [largestCode, encode, codes] =
      weights === 'int8'
        ? ([127, (value: number) => roundToEven(value) & 0xff, 'int8'] as const)
        : ([448, floatToE4m3, 'e4m3'] as const);
    for (const added of [null, deltaAt]) {
      // An addition changes x, so each kernel has its own.
      const operands = { delta: added, weight: weightAt };
      kernels.run(rmsNormLaunch(rows, EPSILON, { ...operands, x: kernels.uploadActivations(x!), out: out! }));
      const normed = kernels.activations(out!, rows * columns);
      const coded = { ...operands, x: kernels.uploadActivations(x!), out: codesAt!, scale: scale! };
      kernels.run(rmsNormCodesLaunch(codes, rows, EPSILON, coded));
      const [found, scales] = [kernels.bytes(codesAt!, rows * columns), kernels.floats(scale!, rows)];
      for (let row = 0; row < rows; row++) {
        const values = normed.subarray(row * columns, (row + 1) * columns);
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expect(scales[row]).toBe(Math.fround(largest / largestCode));
        const inverse = largest === 0 ? 0 : Math.fround(largestCode / largest);
        const expected = Uint8Array.from(values, (_, at) =>
          encode(Math.fround(values[columnOf(at)]! * inverse)),
        );
        expect(firstDifference(found.subarray(row * columns, (row + 1) * columns), expected)).toBe(-1);
      }
    }
  });
});

/** Column of a byte: word t of 16 columns has the columns 2t, 2t + 1, 2t + 8 and 2t + 9. */
function columnOf(at: number): number {
  const [group, word, byte] = [at - (at % 16), Math.floor((at % 16) / 4), at % 4];
  return group + 2 * word + (byte & 1) + (byte & 2) * 4;
}

/** As the device rounds: halves to even. */
function roundToEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
