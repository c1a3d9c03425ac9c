/** Opens an engine directory on this machine's CPU. */
import { isOverHosts, type JobPlace } from '../../../core/job-place.js';
import { present } from '../../../core/present.js';
import { type CpuPool, createCpuPool } from '../../../device/cpu/kernel-library.js';
import { SharedCollectives } from '../../../device/cpu/shared-collectives.js';
import { physicalCoreCount } from '../../../device/cpu/physical-cores.js';
import { hasHugePages } from '../../../ffi/memory.js';
import type { Executor } from '../executor.js';
import { planKvBlocks } from '../opening/memory-plan.js';
import type { OpenExecutorOptions } from '../opening/open-options.js';
import { openRank } from '../opening/open-rank.js';
import type { PreparedRank } from '../opening/prepared-rank.js';
import { shapeOf } from '../opening/sizing.js';
import { CpuExecutor } from './cpu-executor.js';
import { sizeCpu } from './cpu-sizing.js';

/** Share of the available memory that weights in huge pages may take: the KV cache needs some too. */
const RESIDENT_SHARE = 0.6;

/** @throws {AloftError} of the engine reader, OUT_OF_MEMORY, CONFIG_INVALID */
export async function openCpuExecutor(given: OpenExecutorOptions): Promise<Executor> {
  const prepared = prepareCpuRank(given);
  return prepared.open({ blockCount: prepared.blockCount });
}

/** A core is left to the process that is connected with other hosts: it polls, and the slowest thread decides. */
function threadsOfRank(hostRanks: number, place: JobPlace | undefined): number {
  const coreCount = physicalCoreCount() - (place !== undefined && isOverHosts(place) ? 1 : 0);
  return Math.max(1, Math.floor(coreCount / hostRanks));
}

/** Ranks share this machine's memory and cores in equal parts. @throws {AloftError} of the engine reader, OUT_OF_MEMORY, CONFIG_INVALID */
export function prepareCpuRank(given: OpenExecutorOptions): PreparedRank {
  const { worldSize = 1, place } = given;
  const hostRanks = place?.localSize ?? worldSize;
  const availableBytes = process.availableMemory() / hostRanks;
  const mayBeResident = given.mapWeights !== true && hasHugePages();
  const maxResidentBytes = mayBeResident ? availableBytes * RESIDENT_SHARE : 0;
  const engine = openRank(given, { device: 'cpu', maxResidentBytes });
  try {
    const hostKvBytes = (given.hostKvBytes ?? 0) / hostRanks;
    const { kvDtype, limits, demand } = sizeCpu(
      shapeOf(engine),
      { ...given, hostKvBytes },
      { availableBytes },
    );
    return {
      blockCount: planKvBlocks(demand),
      open({ blockCount, group, announce }) {
        let pool: CpuPool | undefined;
        try {
          const threadCount = given.threadCount ?? threadsOfRank(hostRanks, place);
          pool = createCpuPool({ ...given, threadCount });
          return new CpuExecutor({
            plan: engine.plan,
            pool,
            tensorAddress: (name) => engine.tensor(name).address,
            weightBytes: engine.weightBytes,
            limits: { ...limits, blockCount },
            kvDtype,
            ...present({ collectives: group && new SharedCollectives(group), announce }),
            ...present({ profile: given.profile }),
            lostPages: () => engine.lostPages(),
            onDispose: () => engine.dispose(),
          });
        } catch (fault) {
          pool?.dispose();
          engine.dispose();
          throw fault;
        }
      },
      dispose: () => engine.dispose(),
    };
  } catch (fault) {
    engine.dispose();
    throw fault;
  }
}
