/** For tests of kernels: pools that make them run every variant that this machine can run. */
import { levelsUpTo, type IsaLevel } from '../isa.js';
import { createCpuPool, detectIsa, openKernelLibrary, type CpuPool } from '../kernel-library.js';

/** Calls `body` with a pool of `threadCount` threads at each level of the machine, lowest first. */
export function withEachLevel(threadCount: number, body: (pool: CpuPool, isa: IsaLevel) => void): void {
  for (const isa of levelsUpTo(detectIsa(openKernelLibrary()))) {
    const pool = createCpuPool({ threadCount, isa });
    try {
      body(pool, isa);
    } finally {
      pool.dispose();
    }
  }
}
