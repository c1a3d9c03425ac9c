import { expect, it } from 'vitest';
import { describeGpuKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { randomMatrix } from '../matrix.js';
import { CUDA_DTYPES, roundActivations } from '../testing/activations.js';
import { firstDifference } from '../testing/compare.js';
import { gatherLaunch } from './cuda.js';
import { gatherReference } from './reference.js';

const SIZES = [
  [1, 8],
  [3, 24],
  [5, 2056],
  [64, 8192],
] as const;
const ROWS = 70;

describeGpuKernels('gather', (open) => {
  it.each(CUDA_DTYPES.flatMap((dtype) => SIZES.map((size) => [dtype, ...size] as const)))(
    'copies the bits in %s of %i rows of %i',
    (dtype, count, columns) => {
      const kernels = open({ dtype });
      const random = seededRandom(columns);
      const { data } = randomMatrix(ROWS, columns, random);
      const x = { rowCount: ROWS, columnCount: columns, data: roundActivations(data, dtype) };
      const rows = Int32Array.from({ length: count }, () => Math.floor(random.next() * ROWS));
      const out = kernels.reserve(2 * count * columns);
      const operands = { x: kernels.uploadActivations(x.data), rows: kernels.upload(rows), out };
      kernels.run(gatherLaunch(count, columns, operands));
      const expected = gatherReference(x, rows).data;
      expect(firstDifference(kernels.activations(out, expected.length), expected)).toBe(-1);
    },
  );
});
