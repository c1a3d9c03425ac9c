/** Kernels of experts on a host, compiled by a C++ compiler, against the reference: no GPU sees wrong addresses first. */
import { describe, expect, it } from 'vitest';
import { NAMED_FORMATS } from '../../plan/weight-format.js';
import { storedWeights } from '../linear/cuda/stored-weights.js';
import { HostKernels } from '../linear/cuda/testing/host-kernels.js';
import { roundoff } from '../testing/activations.js';
import { expertDownLaunch, expertGateUpLaunch, expertPart } from './cuda.js';
import {
  EXPERT_ROUNDINGS,
  EXPERT_SIZES,
  EXPERT_WEIGHTS,
  expertErrors,
  expertFormat,
} from './testing/expert-case.js';

const NOTHING = { x: 0, routes: 0, weight: 0, scale: 0, out: 0, in: 8, columns: 8, perToken: 1 };
/** Fewer tokens than on a GPU, because threads of a host take turns. */
const SIZES = [
  { ...EXPERT_SIZES.small, tokens: 3 },
  { ...EXPERT_SIZES.wide, tokens: 2 },
  // A whole tile of inputs; rows of one half of a tile.
  { tokens: 2, experts: 3, perToken: 2, hidden: 128, inter: 8 },
];

const CASES = [
  ...EXPERT_WEIGHTS.map((weights) => ['f16', weights] as const),
  ...(['dense', 'fp8', 'int4', 'int4_g32_zeros'] as const).map((weights) => ['bf16', weights] as const),
];

describe('experts on a host', () => {
  it.each(CASES)('in %s with %s weights', { timeout: 300_000 }, (dtype, weights) => {
    const stored = storedWeights(NAMED_FORMATS[expertFormat(weights, dtype)]);
    const launches = [expertGateUpLaunch(1, stored, NOTHING), expertDownLaunch(1, stored, NOTHING)];
    const parts = [expertPart('expert_gate_up', stored), expertPart('expert_down', stored)];
    const kernels = new HostKernels(
      dtype,
      launches.map(({ kernel }, i) => ({ ...parts[i]!, name: kernel, struct: 'ExpertArgs' })),
    );
    for (const sizes of SIZES) {
      const errors = expertErrors(kernels, weights, sizes);
      for (const [half, error] of Object.entries(errors))
        expect(error, `${half} of ${JSON.stringify(sizes)}`).toBeLessThan(EXPERT_ROUNDINGS * roundoff(dtype));
      kernels.dispose();
    }
  });
});
