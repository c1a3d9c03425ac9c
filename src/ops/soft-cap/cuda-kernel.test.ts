import { expect, it } from 'vitest';
import { describeGpuKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { randomMatrix } from '../matrix.js';
import { softCapLaunch } from './cuda.js';
import { softCapReference } from './reference.js';

const CAP = 30;
/** Exponential and division are a little less exact than f32. */
const TOLERANCE = 4e-6;
const SIZES = [
  [1, 1],
  [3, 257],
  [40, 32000],
] as const;

describeGpuKernels('softCap', (open) => {
  it.each(SIZES)('equals the reference for [%i, %i]', (rows, columns) => {
    const kernels = open({ dtype: 'f16', isGemma: true });
    const x = randomMatrix(rows, columns, seededRandom(columns));
    x.data.forEach((value, i) => (x.data[i] = 40 * value));
    const at = kernels.upload(x.data);
    softCapReference(x, CAP);
    kernels.run(softCapLaunch(rows, columns, at, CAP));
    const actual = kernels.floats(at, rows * columns);
    expect(actual.every((value, i) => Math.abs(value - x.data[i]!) / CAP < TOLERANCE)).toBe(true);
  });

  it('keeps extreme values finite and passes NaN on', () => {
    const kernels = open({ dtype: 'f16', isGemma: true });
    const values = [-1e30, 1e30, -Infinity, Infinity, NaN, 0];
    const at = kernels.upload(Float32Array.from(values));
    kernels.run(softCapLaunch(1, values.length, at, CAP));
    expect(Array.from(kernels.floats(at, values.length))).toEqual([-CAP, CAP, -CAP, CAP, NaN, 0]);
  });
});
