import { expect, it } from 'vitest';
import { describeGpuKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { randomMatrix } from '../matrix.js';
import { CUDA_DTYPES, largestUlps, roundActivations } from '../testing/activations.js';
import { gegluLaunch } from './cuda.js';
import { gegluReference } from './reference.js';

const SIZES = [
  [1, 8],
  [3, 24],
  [5, 2056],
  [40, 11008],
] as const;
/** The result is rounded once; its exponential is a little less exact than f32. */
const MAX_ULPS = 0.52;

describeGpuKernels('geglu', (open) => {
  it.each(CUDA_DTYPES.flatMap((dtype) => SIZES.map((size) => [dtype, ...size] as const)))(
    'equals the reference in %s for [%i, 2 * %i]',
    (dtype, rows, inter) => {
      const kernels = open({ dtype, isGemma: true });
      const { data } = randomMatrix(rows, 2 * inter, seededRandom(inter));
      const values = roundActivations(
        data.map((value) => 8 * value),
        dtype,
      );
      const gateUp = { rowCount: rows, columnCount: 2 * inter, data: values };
      const out = kernels.reserve(2 * rows * inter);
      kernels.run(gegluLaunch(rows, inter, kernels.uploadActivations(values), out));
      const actual = kernels.activations(out, rows * inter);
      expect(largestUlps(actual, gegluReference(gateUp).data, dtype)).toBeLessThan(MAX_ULPS);
    },
  );

  it('keeps extreme gates finite and passes NaN on', () => {
    const kernels = open({ dtype: 'f16', isGemma: true });
    const gates = [-1000, -88, -87, 87, 89, 1000, NaN, -0];
    const out = kernels.reserve(2 * gates.length);
    const gateUp = kernels.uploadActivations([...gates, ...gates.map(() => 1)]);
    kernels.run(gegluLaunch(1, gates.length, gateUp, out));
    const actual = kernels.activations(out, gates.length);
    expect(Array.from(actual, Math.abs)).toEqual([0, 0, 0, 87, 89, 1000, NaN, 0]);
  });
});
