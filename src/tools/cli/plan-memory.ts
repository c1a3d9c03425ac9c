/** `aloft plan-memory`: what an engine would take and hold, without loading or building it. */
import type { Command } from 'commander';
import { configFields } from '../../builder/random-weights/shapes.js';
import { readModelConfig } from '../../builder/checkpoint/open.js';
import { JsonFile } from '../../builder/checkpoint/json-file.js';
import { type ModelConfig, parseModelConfig } from '../../builder/checkpoint/model-config.js';
import type { GivenFlags } from '../../builder/flag-reader.js';
import { type BuildSource, resolveBuildOptions } from '../../builder/resolve-options.js';
import { DEVICE_TRAITS, type DeviceName } from '../../core/device.js';
import { ENGINE_OPTIONS } from '../../core/engine-option-table.js';
import type { OpeningOptions } from '../../core/engine-options.js';
import { AloftError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import { DEVICES } from '../../device/device.js';
import { dryBudget, dryBuild, type DryEngine, dryEngine } from '../memory/dry-run.js';
import { savingFlags } from '../memory/build-savings.js';
import { fittingSequences, memoryTable, type MemoryView } from '../memory/memory-view.js';
import { ARCH_DEVICE } from './build-target.js';
import { addBuildFlags, addOriginalFlags, givenFlags, withModelPath } from './build-options.js';
import { addOptionFlags, engineOptions, parserOf } from './engine-flags.js';
import { byteCount, realNumber } from './flags.js';
import { localConfig } from './pull.js';
import { formatBytes, jsonText, type Terminal } from './terminal.js';

interface PlanMemoryFlags {
  readonly engineDir?: string;
  readonly freeMemory?: number;
  readonly gpuMemoryGb?: number;
  readonly arch?: string;
  readonly json?: true;
}

const DEFAULT_ARCH = 'sm_90a';

export function registerPlanMemory(command: Command, terminal: Terminal): void {
  command
    .option('--engine-dir <dir>', 'an engine; without one, the flags of aloft build say what would be built')
    .option(
      '--free-memory <bytes>',
      'memory free before loading, such as 24GiB (default: what is free here)',
      byteCount,
    )
    .option(
      '--gpu-memory-gb <gb>',
      'plan for a GPU with so many GB (10^9 bytes) free; needs no GPU',
      realNumber(0.1, 10_000),
    )
    .option('--json', 'print the budget as JSON')
    .option('--arch <architecture>', 'plan for a GPU of this architecture (default with a GPU: sm_90a)');
  addOptionFlags(command, ['kvCacheFreeMemFraction', 'maxKvTokens']);
  addBuildFlags(command);
  addOriginalFlags(command);
  command.action(async (values: Record<string, unknown> & PlanMemoryFlags) =>
    planMemory(values, await withModelPath(givenFlags(command, values), localConfig), terminal),
  );
}

async function planMemory(flags: PlanMemoryFlags, given: GivenFlags, terminal: Terminal): Promise<void> {
  if (flags.engineDir !== undefined && flags.arch !== undefined)
    throw new AloftError(
      'USAGE',
      '--arch is for what is not built yet, and an engine has its own; leave it out.',
    );
  const engine = flags.engineDir === undefined ? unbuilt(flags, given) : dryEngine(flags.engineDir);
  const { worldSize } = engine.plan;
  const { isSharedByRanks } = DEVICE_TRAITS[engine.device];
  const freeBytes = freeMemory(flags, engine.device) / (isSharedByRanks ? worldSize : 1);
  const sizing = sizingOptions(flags, given);
  const budget = await dryBudget(engine, sizing, freeBytes);
  const isTooSmall = fittingSequences(budget) < budget.maxRows;
  const canBeBuilt = flags.engineDir === undefined && sizing.maxKvTokens === undefined;
  const plan = (changed: GivenFlags) => dryBudget(unbuilt(flags, changed), sizing, freeBytes);
  const saving = canBeBuilt && isTooSmall ? { flags: await savingFlags(budget, given, plan) } : undefined;
  if (flags.json)
    terminal.out(
      jsonText({
        freeBytes,
        rankCount: worldSize,
        ...budget,
        fittingSequences: fittingSequences(budget),
        saving,
      }),
    );
  else printBudget({ freeBytes, worldSize, budget }, saving, terminal);
  if (budget.blockCount > 0) return;
  const missing = engine.weightBytes + budget.workspaceBytes - freeBytes;
  throw new AloftError(
    'OUT_OF_MEMORY',
    missing > 0
      ? `Weights and workspace need ${formatBytes(missing)} more than is free; use smaller weights (--use_weight_only), more ranks (--tp_size) or another machine.`
      : 'Not one KV block fits; raise --kv_cache_free_mem_fraction.',
  );
}

interface Planned {
  readonly freeBytes: number;
  readonly worldSize: number;
  readonly budget: MemoryView;
}

function printBudget(
  { freeBytes, worldSize, budget }: Planned,
  saving: { readonly flags: string | undefined } | undefined,
  terminal: Terminal,
): void {
  const whose = worldSize === 1 ? '' : ` for each of ${worldSize} ranks`;
  terminal.out(`Free before loading${whose}: ${formatBytes(freeBytes)}\n${memoryTable(budget)}\n`);
  if (saving !== undefined) terminal.out(savingText(saving.flags));
}

function savingText(flags: string | undefined): string {
  return flags === undefined
    ? 'Neither smaller weights nor a smaller cache is enough; build with smaller --max_input_len, --max_output_len or more ranks.\n'
    : `Built with ${flags}, all of them fit.\n`;
}

/** @throws {AloftError} USAGE when the memory of a GPU is neither given nor here */
function freeMemory({ freeMemory: given, gpuMemoryGb }: PlanMemoryFlags, device: DeviceName): number {
  if (gpuMemoryGb !== undefined && !DEVICE_TRAITS[device].hasArchitectures)
    throw new AloftError(
      'USAGE',
      '--gpu_memory_gb is for GPUs, and the engine is for a CPU; use --free_memory.',
    );
  const bytes = gpuMemoryGb === undefined ? given : gpuMemoryGb * 1e9;
  if (bytes !== undefined) return bytes;
  const { name, memoryBytes } = DEVICES[device].survey({});
  if (name !== undefined) return memoryBytes;
  throw new AloftError(
    'USAGE',
    'There is no GPU here; say how much memory it has, such as --gpu_memory_gb 80.',
  );
}

function unbuilt({ gpuMemoryGb, arch }: PlanMemoryFlags, given: GivenFlags): DryEngine {
  const { source, options } = resolveBuildOptions(given);
  const isForGpu = gpuMemoryGb !== undefined || arch !== undefined;
  const gpu = { device: ARCH_DEVICE, architecture: arch ?? DEFAULT_ARCH };
  return dryBuild(configOf(source), options, isForGpu ? gpu : { device: 'cpu', architecture: null });
}

function configOf(source: BuildSource): ModelConfig {
  return source.type === 'checkpoint'
    ? readModelConfig(source.directory)
    : parseModelConfig(new JsonFile('random weights', configFields(source.shape)));
}

/** With --engine_dir, flags that a build has too are those of the load. */
function sizingOptions(flags: PlanMemoryFlags, given: GivenFlags): OpeningOptions {
  const { kvCacheFreeMemFraction, maxKvTokens } = engineOptions(flags);
  const parsed = (name: 'maxStepTokens' | 'blockTokens', flag: string): number | undefined => {
    const text = given.get(flag);
    return text === undefined ? undefined : Number(parserOf(ENGINE_OPTIONS[name].values)?.(String(text)));
  };
  return present({
    kvCacheFreeMemFraction,
    maxKvTokens,
    maxStepTokens: parsed('maxStepTokens', 'max_num_tokens'),
    blockTokens: parsed('blockTokens', 'tokens_per_block'),
  });
}
