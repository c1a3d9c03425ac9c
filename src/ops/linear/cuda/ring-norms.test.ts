/** Norms that the linear layers before and after them do, on a host, against the reference. cuda-kernel.test.ts has them on a GPU. */
import { describe, expect, it } from 'vitest';
import { HostKernels } from './testing/host-kernels.js';
import { layersOf, NORMED_CASES, normedFaults, normedKernels } from './testing/normed-cases.js';

const HOST = { computeCapability: 90, multiprocessorCount: 3 };

describe('norms between layers on a host', () => {
  it.each(NORMED_CASES)('in %s with %s weights', { timeout: 300_000 }, (dtype, name) => {
    // A few of all, because threads of a host take turns.
    const all = layersOf(name).filter((_, index) => index % 7 === 0);
    const kernels = new HostKernels(
      dtype,
      normedKernels(all, HOST).map((kernel) => ({ ...kernel, struct: 'RingArgs' })),
    );
    const faults = all.flatMap((layers) => {
      const found = normedFaults(kernels, layers);
      kernels.dispose();
      return found;
    });
    expect(faults).toEqual([]);
  });
});
