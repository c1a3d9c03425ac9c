/** `aloft plan-memory`: what an engine would take and hold, without loading or building it. */
import type { Command } from 'commander';
import { configFields } from '../../build/random-weights/shapes.js';
import { readModelConfig } from '../../build/checkpoint/open.js';
import { JsonFile } from '../../build/checkpoint/json-file.js';
import { type ModelConfig, parseModelConfig } from '../../build/checkpoint/model-config.js';
import type { GivenFlags } from '../../build/flag-reader.js';
import { type BuildSource, resolveBuildOptions } from '../../build/resolve-options.js';
import { AloftError } from '../../core/errors.js';
import type { SizingOptions } from '../../run/executor/cpu-sizing.js';
import { dryBudget, dryBuild, dryEngine } from '../memory/dry-run.js';
import { memoryTable } from '../memory/memory-view.js';
import { addBuildFlags, givenFlags } from './build-options.js';
import { byteCount, realNumber, wholeNumber } from './flags.js';
import { formatBytes, type Terminal } from './terminal.js';

interface PlanMemoryFlags {
  readonly engineDir?: string;
  readonly freeMemory?: number;
  readonly kvCacheFreeMemFraction?: number;
  readonly maxTokensInPagedKvCache?: number;
}

export function registerPlanMemory(program: Command, terminal: Terminal): void {
  const command = program
    .command('plan-memory')
    .description('say what an engine takes and holds, without building or loading it')
    .option('--engine-dir <dir>', 'an engine; without one, the flags of aloft build say what would be built')
    .option(
      '--free-memory <bytes>',
      'memory free before loading, such as 24GiB (default: what is free here)',
      byteCount,
    )
    .option(
      '--kv-cache-free-mem-fraction <share>',
      'share of the memory free after load for KV blocks',
      realNumber(0.01, 1),
    )
    .option('--max-tokens-in-paged-kv-cache <tokens>', 'absolute size of the KV cache', wholeNumber(1));
  addBuildFlags(command);
  command.action((values: Record<string, unknown> & PlanMemoryFlags) =>
    planMemory(values, givenFlags(command, values), terminal),
  );
}

function planMemory(flags: PlanMemoryFlags, given: GivenFlags, terminal: Terminal): void {
  const engine = flags.engineDir === undefined ? unbuilt(given) : dryEngine(flags.engineDir);
  const freeBytes = flags.freeMemory ?? process.availableMemory();
  const budget = dryBudget(engine, sizingOptions(flags, given), freeBytes);
  terminal.out(`Free before loading: ${formatBytes(freeBytes)}\n${memoryTable(budget)}\n`);
  if (budget.blockCount > 0) return;
  const missing = engine.weightBytes + budget.workspaceBytes - freeBytes;
  throw new AloftError(
    'OUT_OF_MEMORY',
    missing > 0
      ? `Weights and workspace need ${formatBytes(missing)} more than is free; use --use_weight_only, more ranks (--tp_size) or another machine.`
      : 'Not one KV block fits; raise --kv_cache_free_mem_fraction.',
  );
}

function unbuilt(given: GivenFlags) {
  const { source, options } = resolveBuildOptions(given);
  return dryBuild(configOf(source), options);
}

function configOf(source: BuildSource): ModelConfig {
  return source.type === 'checkpoint'
    ? readModelConfig(source.directory)
    : parseModelConfig(new JsonFile('random weights', configFields(source.shape)));
}

/** With --engine_dir, flags that a build has too are those of the load. */
function sizingOptions(flags: PlanMemoryFlags, given: GivenFlags): SizingOptions {
  const { kvCacheFreeMemFraction, maxTokensInPagedKvCache } = flags;
  const [stepTokens, blockTokens] = [given.get('max_num_tokens'), given.get('tokens_per_block')];
  return {
    ...(kvCacheFreeMemFraction === undefined ? {} : { kvCacheFreeMemFraction }),
    ...(maxTokensInPagedKvCache === undefined ? {} : { maxKvTokens: maxTokensInPagedKvCache }),
    ...(stepTokens === undefined ? {} : { maxStepTokens: wholeNumber(1)(String(stepTokens)) }),
    ...(blockTokens === undefined ? {} : { blockTokens: wholeNumber(8, 128)(String(blockTokens)) }),
  };
}
