/** Opens an engine directory on this machine's CPU. The engine thread imports this module as its executor factory. */
import { AloftError } from '../../core/errors.js';
import type { IsaLevel } from '../../device/cpu/isa.js';
import { type CpuPool, createCpuPool } from '../../device/cpu/kernel-library.js';
import { CPU_LAYOUT_VERSION } from '../../device/cpu/cpu-weight-layout.js';
import type { EngineManifest } from '../../engine/manifest.js';
import { type EngineRank, openEngineRank, type Verification } from '../../engine/rank-file-reader.js';
import { CpuExecutor, cpuWorkspaceBytes } from './cpu-executor.js';
import type { CpuExecutorLimits } from './cpu-executor-options.js';
import type { Executor } from './executor.js';
import { kvBytesPerToken, planKvBlocks } from './memory-plan.js';

/** Everything but the directory may be left out; limits of the engine itself come from its manifest. */
export interface OpenEngineOptions {
  readonly engineDirectory: string;
  readonly verification?: Verification;
  /** Default: the physical cores available to the process. */
  readonly threadCount?: number;
  /** Use no instructions above this level. Default: the machine's highest. */
  readonly isa?: IsaLevel;
  /** Share of the memory free after load that KV blocks may take. Default 0.5: a CPU shares its memory with everything else. */
  readonly kvCacheFreeMemFraction?: number;
  readonly maxKvTokens?: number;
  readonly maxStepTokens?: number;
  readonly maxSequenceCount?: number;
  readonly blockTokens?: number;
  /** Size of the host tier for evicted blocks and swapped sequences. Default 0: none. */
  readonly hostKvBytes?: number;
}

const DEFAULT_FREE_FRACTION = 0.5;
const DEFAULT_STEP_TOKENS = 512;
/** Logits that one step can return beyond one a row: prompt log probabilities come in pieces of this many. */
const MIN_LOGITS = 64;

/** @throws AloftError of the engine reader, OUT_OF_MEMORY, CONFIG_INVALID */
export async function openExecutor(options: unknown): Promise<Executor> {
  const given = options as OpenEngineOptions;
  const engine = openEngineRank(given.engineDirectory, {
    rank: 0,
    worldSize: 1,
    device: 'cpu',
    layoutVersion: CPU_LAYOUT_VERSION,
    verification: given.verification ?? 'sample',
  });
  let pool: CpuPool | undefined;
  try {
    const kvDtype = engine.manifest.builder_config.precision === 'float32' ? 'f32' : 'f16';
    const limits = cpuLimits(engine, given, kvBytesPerToken(engine.plan.dims, kvDtype));
    pool = createCpuPool(given);
    return new CpuExecutor({
      plan: engine.plan,
      pool,
      tensorAddress: (name) => engine.tensor(name).address,
      weightBytes: engine.weightBytes,
      limits,
      kvDtype,
      onDispose: () => engine.dispose(),
    });
  } catch (fault) {
    pool?.dispose();
    engine.dispose();
    throw fault;
  }
}

/** What the manifest and the options make of a step and of the KV cache. Exported for the dry run. */
export function cpuLimits(
  engine: EngineRank,
  given: OpenEngineOptions,
  bytesPerToken: number,
): CpuExecutorLimits {
  const { builder_config: build, plugin_config: plugin } = engine.manifest;
  const maxRows = given.maxSequenceCount ?? build.max_batch_size;
  const maxSequenceTokens = build.max_input_len + build.max_output_len;
  const blockTokens = given.blockTokens ?? plugin.tokens_per_block;
  const limits = {
    maxStepTokens: stepTokens(engine.manifest, given, maxRows),
    maxRows,
    maxLogits: Math.max(maxRows, MIN_LOGITS),
    blockTokens,
    blockCount: 0,
    hostBlockCount: Math.floor((given.hostKvBytes ?? 0) / (blockTokens * bytesPerToken)),
    maxSequenceTokens,
  };
  const usedBytes = engine.weightBytes + cpuWorkspaceBytes(engine.plan, limits);
  const blockCount = planKvBlocks({
    blockTokens,
    bytesPerToken,
    freeBytes: Math.max(0, process.availableMemory() - usedBytes),
    freeFraction: given.kvCacheFreeMemFraction ?? DEFAULT_FREE_FRACTION,
    maxKvTokens: given.maxKvTokens,
    // A sequence's last block is rarely full, so each may need one more than its tokens fill.
    usefulTokens: maxRows * (maxSequenceTokens + blockTokens),
  });
  return { ...limits, blockCount };
}

function stepTokens(
  { builder_config: build }: EngineManifest,
  given: OpenEngineOptions,
  maxRows: number,
): number {
  const wanted = given.maxStepTokens ?? build.max_num_tokens ?? Math.max(maxRows, DEFAULT_STEP_TOKENS);
  if (wanted >= maxRows) return wanted;
  throw new AloftError(
    'CONFIG_INVALID',
    `--max_num_tokens is ${wanted}, but each of ${maxRows} sequences (max_batch_size) needs one token of a step; give at least ${maxRows}.`,
  );
}
