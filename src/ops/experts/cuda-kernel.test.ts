import { expect, it } from 'vitest';
import { describeGpuKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { randomMatrix } from '../matrix.js';
import { CUDA_DTYPES, roundoff } from '../testing/activations.js';
import { routeLaunch } from './cuda.js';
import { routeReference } from './reference.js';
import { EXPERT_ROUNDINGS, EXPERT_SIZES, EXPERT_WEIGHTS, expertErrors } from './testing/expert-case.js';

/** Exponentials are a little less exact than f32. */
const SHARE_TOLERANCE = 1e-5;
const SIZES = [
  [1, 2, 1],
  [5, 8, 2],
  [33, 128, 8],
  [3, 256, 16],
] as const;

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

  it.each(
    CUDA_DTYPES.flatMap((dtype) =>
      EXPERT_WEIGHTS.flatMap((weights) =>
        Object.values(EXPERT_SIZES).map((sizes) => [dtype, weights, sizes] as const),
      ),
    ),
  )('equal the reference in %s with %s weights of %o', (dtype, weights, sizes) => {
    const kernels = open({ dtype, isMixture: true, weights });
    const { gateUp, down } = expertErrors(kernels, weights, sizes);
    expect(gateUp).toBeLessThan(EXPERT_ROUNDINGS * roundoff(dtype));
    expect(down).toBeLessThan(EXPERT_ROUNDINGS * roundoff(dtype));
  });
});
