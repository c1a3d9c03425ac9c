/** Opens an engine directory on this machine's CPU. */
import { present } from '../../../core/present.js';
import { type CpuPool, createCpuPool } from '../../../device/cpu/kernel-library.js';
import { hasHugePages } from '../../../ffi/memory.js';
import type { Executor } from '../executor.js';
import { planKvBlocks } from '../opening/memory-plan.js';
import type { OpenExecutorOptions } from '../opening/open-options.js';
import { openRank } from '../opening/open-rank.js';
import { shapeOf } from '../opening/sizing.js';
import { CpuExecutor } from './cpu-executor.js';
import { sizeCpu } from './cpu-sizing.js';

/** Share of the available memory that weights in huge pages may take: the KV cache needs some too. */
const RESIDENT_SHARE = 0.6;

/** @throws {AloftError} of the engine reader, OUT_OF_MEMORY, CONFIG_INVALID */
export async function openCpuExecutor(given: OpenExecutorOptions): Promise<Executor> {
  const availableBytes = process.availableMemory();
  const mayBeResident = given.mapWeights !== true && hasHugePages();
  const maxResidentBytes = mayBeResident ? availableBytes * RESIDENT_SHARE : 0;
  const engine = openRank(given, { device: 'cpu', maxResidentBytes });
  let pool: CpuPool | undefined;
  try {
    const { kvDtype, limits, demand } = sizeCpu(shapeOf(engine), given, { availableBytes });
    const blockCount = planKvBlocks(demand);
    pool = createCpuPool(given);
    return new CpuExecutor({
      plan: engine.plan,
      pool,
      tensorAddress: (name) => engine.tensor(name).address,
      weightBytes: engine.weightBytes,
      limits: { ...limits, blockCount },
      kvDtype,
      ...present({ profile: given.profile }),
      onDispose: () => engine.dispose(),
    });
  } catch (fault) {
    pool?.dispose();
    engine.dispose();
    throw fault;
  }
}
