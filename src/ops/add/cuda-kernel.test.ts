import { expect, it } from 'vitest';
import { describeGpuKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { randomMatrix } from '../matrix.js';
import { CUDA_DTYPES, roundActivations } from '../testing/activations.js';
import { firstDifference } from '../testing/compare.js';
import { addBiasLaunch, addLaunch } from './cuda.js';
import { addReference } from './reference.js';

/** Threads take eight numbers each and blocks 256 threads. */
const COUNTS = [8, 24, 2048, 2056, 1 << 20];
const BIASED = [
  [1, 8],
  [3, 24],
  [5, 2056],
  [40, 22016],
] as const;

describeGpuKernels('add', (open) => {
  it.each(CUDA_DTYPES.flatMap((dtype) => COUNTS.map((count) => [dtype, count] as const)))(
    'equals the reference in %s for %i values',
    (dtype, count) => {
      const kernels = open({ dtype });
      const [residual, delta] = [1, 2].map((seed) =>
        roundActivations(randomMatrix(1, count, seededRandom(seed)).data, dtype),
      );
      const matrix = (data: Float32Array) => ({ rowCount: 1, columnCount: count, data });
      const expected = matrix(residual!.slice());
      addReference(expected, matrix(delta!));
      const at = kernels.uploadActivations(residual!);
      kernels.run(addLaunch(count, at, kernels.uploadActivations(delta!)));
      const sums = roundActivations(expected.data, dtype);
      expect(firstDifference(kernels.activations(at, count), sums)).toBe(-1);
    },
  );

  it.each(CUDA_DTYPES.flatMap((dtype) => BIASED.map((size) => [dtype, ...size] as const)))(
    'adds a bias to each row in %s of [%i, %i]',
    (dtype, rows, columns) => {
      const kernels = open({ dtype });
      const out = roundActivations(randomMatrix(rows, columns, seededRandom(rows)).data, dtype);
      const bias = roundActivations(randomMatrix(1, columns, seededRandom(columns)).data, dtype);
      const at = kernels.uploadActivations(out);
      kernels.run(addBiasLaunch(rows, columns, at, kernels.uploadActivations(bias)));
      const expected = out.map((value, i) => value + bias[i % columns]!);
      const sums = roundActivations(expected, dtype);
      expect(firstDifference(kernels.activations(at, out.length), sums)).toBe(-1);
    },
  );
});
