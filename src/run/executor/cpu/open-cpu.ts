/** Opens an engine directory on this machine's CPU. The engine thread imports this module as its executor factory. */
import type { IsaLevel } from '../../../device/cpu/isa.js';
import { type CpuPool, createCpuPool } from '../../../device/cpu/kernel-library.js';
import { CPU_LAYOUT_VERSION } from '../../../device/cpu/cpu-weight-layout.js';
import { openEngineRank, type Verification } from '../../../engine/rank-file-reader.js';
import { hasHugePages } from '../../../ffi/memory.js';
import { CpuExecutor } from './cpu-executor.js';
import { sizeCpu } from './cpu-sizing.js';
import type { Executor } from '../executor.js';
import { planKvBlocks } from '../memory-plan.js';
import { shapeOf, type SizingOptions } from '../sizing.js';
import type { CallListener } from '../profile/timed-call.js';

/** Everything but the directory may be left out; limits of the engine itself come from its manifest. */
export interface OpenEngineOptions extends SizingOptions {
  readonly engineDirectory: string;
  readonly verification?: Verification;
  /** Default: the physical cores available to the process. */
  readonly threadCount?: number;
  /** Use no instructions above this level. Default: the machine's highest. */
  readonly isa?: IsaLevel;
  /** Hears of every kernel of a step. A function stays on its thread: not for engines on a thread of their own. */
  readonly profile?: CallListener;
  /** Map the engine file even if it would fit into huge pages: loads at once and is shared between processes, but decodes slower. */
  readonly mapWeights?: boolean;
}

/** Share of the available memory that weights in huge pages may take: the KV cache needs some too. */
const RESIDENT_SHARE = 0.6;

/** @throws {AloftError} of the engine reader, OUT_OF_MEMORY, CONFIG_INVALID */
export async function openExecutor(options: unknown): Promise<Executor> {
  const given = options as OpenEngineOptions;
  const availableBytes = process.availableMemory();
  const mayBeResident = given.mapWeights !== true && hasHugePages();
  const engine = openEngineRank(given.engineDirectory, {
    rank: 0,
    worldSize: 1,
    device: 'cpu',
    layoutVersion: CPU_LAYOUT_VERSION,
    verification: given.verification ?? 'sample',
    maxResidentBytes: mayBeResident ? availableBytes * RESIDENT_SHARE : 0,
  });
  let pool: CpuPool | undefined;
  try {
    const { kvDtype, limits, demand } = sizeCpu(shapeOf(engine), given, availableBytes);
    const blockCount = planKvBlocks(demand);
    pool = createCpuPool(given);
    return new CpuExecutor({
      plan: engine.plan,
      pool,
      tensorAddress: (name) => engine.tensor(name).address,
      weightBytes: engine.weightBytes,
      limits: { ...limits, blockCount },
      kvDtype,
      ...(given.profile === undefined ? {} : { profile: given.profile }),
      onDispose: () => engine.dispose(),
    });
  } catch (fault) {
    pool?.dispose();
    engine.dispose();
    throw fault;
  }
}
