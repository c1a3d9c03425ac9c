import { createCpuPool } from '../../../device/cpu/kernel-library.js';
import { arithmeticOf } from '../../../device/cpu/linear-arithmetic.js';
import { measureLimits } from '../../../ops/cpu/limits.js';
import type { DeviceRates, ExecutorBackend } from '../opening/backend.js';
import type { OpenExecutorOptions } from '../opening/open-options.js';
import { sizeCpu } from './cpu-sizing.js';
import { openCpuExecutor, prepareCpuRank } from './open-cpu.js';

/** The CPU in the table of executors. */
export const CPU_BACKEND: ExecutorBackend = {
  activationBytes: 4,
  size: sizeCpu,
  open: openCpuExecutor,
  prepare: prepareCpuRank,
  measureRates: (_engine, given) => measureRates(given),
};

function measureRates(given: OpenExecutorOptions): DeviceRates {
  const pool = createCpuPool(given);
  try {
    const { readGBps, peakGops } = measureLimits(pool.library, pool.handle);
    return {
      readGBps,
      peakGflops: (element) => {
        const [arithmetic, products] = arithmeticOf(element, pool.isa);
        return peakGops[arithmetic] / products;
      },
    };
  } finally {
    pool.dispose();
  }
}
