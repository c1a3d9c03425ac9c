import { expect, it } from 'vitest';
import { describeGpuKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { randomMatrix } from '../matrix.js';
import { CUDA_DTYPES, largestUlps, roundActivations } from '../testing/activations.js';
import { headNormLaunch } from './cuda.js';
import { headNormReference } from './reference.js';

const EPSILON = 1e-6;
/** The result is rounded once; the sum of squares and the root are in f32. */
const MAX_ULPS = 0.52;
const SHAPES = [
  [1, 1, 1, 16],
  [3, 4, 2, 48],
  [9, 32, 8, 128],
  [17, 2, 2, 256],
] as const;

describeGpuKernels('headNorm', (open) => {
  it.each(CUDA_DTYPES.flatMap((dtype) => SHAPES.map((shape) => [dtype, ...shape] as const)))(
    'equals the reference in %s for %i tokens, %i and %i heads of %i',
    (dtype, tokens, headCount, kvHeadCount, headDim) => {
      const kernels = open({ dtype, heads: { headCount, kvHeadCount, headDim }, isGemma: true });
      const random = seededRandom(headDim);
      const columnCount = (headCount + 2 * kvHeadCount) * headDim;
      const rounded = (rows: number, columns: number) =>
        roundActivations(randomMatrix(rows, columns, random).data, dtype);
      const [data, queryWeight, keyWeight] = [
        rounded(tokens, columnCount),
        rounded(1, headDim),
        rounded(1, headDim),
      ];
      const [qkv, queryAt, keyAt] = [data, queryWeight, keyWeight].map((values) =>
        kernels.uploadActivations(values),
      );
      const operands = { qkv: qkv!, queryWeight: queryAt!, keyWeight: keyAt! };
      kernels.run(headNormLaunch(tokens, { headCount, kvHeadCount, epsilon: EPSILON }, operands));
      const norm = { headCount, kvHeadCount, queryWeight, keyWeight, epsilon: EPSILON };
      headNormReference({ rowCount: tokens, columnCount, data }, norm);
      expect(largestUlps(kernels.activations(qkv!, data.length), data, dtype)).toBeLessThan(MAX_ULPS);
    },
  );
});
