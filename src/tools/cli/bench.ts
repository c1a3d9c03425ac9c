/** `aloft bench`: static batches as TensorRT-LLM's benchmark.py, or requests in flight as gptManagerBenchmark. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { AloftError } from '../../core/errors.js';
import { GREEDY, type SamplingParams } from '../../core/sampling.js';
import { present } from '../../core/present.js';
import { loadBatcher, type LoadedBatcher } from '../../llm/load.js';
import { loadOptionsOf } from '../../llm/load-options.js';
import { benchInflight } from '../bench/inflight-command.js';
import { benchStatic } from '../bench/static-command.js';
import { parseBatchSizes, parseLengths } from '../bench/sweep.js';
import { requireWritable } from '../report/result-file.js';
import { registerBenchServe } from './bench-serve.js';
import { runBuild } from './build.js';
import { type BenchFlags, addBenchFlags, checkBenchFlags } from './bench-flags.js';
import { engineOptions } from './engine-flags.js';
import { engineDirectoryOf } from './engine-source.js';
import { loadedView, memoryTable } from '../memory/memory-view.js';
import { interruptible } from './interrupt.js';
import { loadShown } from './load-shown.js';
import type { Terminal } from './terminal.js';
import { terminalLog } from './terminal-log.js';

export function registerBench(command: Command, terminal: Terminal): void {
  addBenchFlags(command);
  command.argument(
    '[engine]',
    'an engine; or a checkpoint or ORG/NAME on Hugging Face, built once (instead of --engine-dir)',
  );
  command.action(async (engine: string | undefined, flags: BenchFlags) =>
    runBench({ ...flags, ...(await namedEngine(engine, flags, terminal)) }, terminal),
  );
  registerBenchServe(command, terminal);
}

/** @throws {AloftError} USAGE when the engine is named in two ways */
async function namedEngine(
  engine: string | undefined,
  { engineDir, randomWeights }: BenchFlags,
  terminal: Terminal,
): Promise<Pick<BenchFlags, 'engineDir'>> {
  if (engine === undefined) return {};
  if (engineDir === undefined && randomWeights === undefined)
    return { engineDir: await engineDirectoryOf(engine, terminal) };
  throw new AloftError(
    'USAGE',
    `An engine (${engine}) and --engine_dir or --random_weights were both given; use one of them.`,
  );
}

async function runBench(flags: BenchFlags, terminal: Terminal): Promise<void> {
  for (const warning of checkBenchFlags(flags)) terminal.out(`[WARNING] ${warning}\n`);
  requireWritable([flags.json, flags.html]);
  await interruptible(async (signal) => {
    const { directory, buildSeconds, dispose } = await engineFor(flags, terminal);
    try {
      await measure({ directory, buildSeconds, flags, terminal, signal });
    } finally {
      dispose();
    }
  });
}

interface Measurement {
  readonly directory: string;
  readonly buildSeconds: number;
  readonly flags: BenchFlags;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

async function measure({ directory, buildSeconds, flags, terminal, signal }: Measurement): Promise<void> {
  const options = engineOptions(flags);
  const batchingType = flags.type === 'V1' ? flags.type : undefined;
  const loading = loadOptionsOf({ ...options, ...present({ batchingType }) });
  const engine = await loadShown(terminal)((onProgress) =>
    loadBatcher(directory, { ...loading, onProgress }),
  );
  try {
    const { executorLimits: limits, memory } = engine.batcher.facts;
    const log = terminalLog(flags.logLevel, terminal);
    log.info(`Memory:\n${memoryTable(loadedView(limits, memory, options.maxKvTokens))}`);
    checkPrecision(engine, flags);
    const shared = { engine, flags: { ...flags, model: modelOf(flags) }, terminal, signal };
    if (flags.type === 'static')
      await benchStatic({
        ...shared,
        place: options,
        sampling: samplingOf(flags),
        beamWidth: flags.numBeams,
        buildSeconds,
      });
    else await benchInflight({ ...shared, tokenizerDirectory: flags.tokenizerDir ?? directory });
  } finally {
    await engine.batcher.close();
  }
}

/** Name of the model in results: as given, else that of the engine's directory or of the shape. */
function modelOf({ model, engineDir }: BenchFlags): string {
  return model ?? (engineDir === undefined ? 'llama_7b' : basename(resolve(engineDir)));
}

interface BenchEngine {
  readonly directory: string;
  /** 0 for an engine that existed. */
  readonly buildSeconds: number;
  readonly dispose: () => void;
}

async function engineFor(flags: BenchFlags, terminal: Terminal): Promise<BenchEngine> {
  if (flags.engineDir !== undefined)
    return { directory: flags.engineDir, buildSeconds: 0, dispose: () => {} };
  const folder = mkdtempSync(join(tmpdir(), 'aloft-bench-'));
  const dispose = () => rmSync(folder, { recursive: true, force: true });
  const directory = flags.outputDir ?? join(folder, 'engine');
  const log = terminalLog(flags.logLevel, terminal);
  try {
    const place = {
      device: flags.device ?? 'auto',
      ...present({ cudaLibraryPath: engineOptions(flags).cudaLibraryPath }),
    };
    const report = await runBuild(randomBuildFlags(flags, directory), place, log, terminal);
    return { directory, buildSeconds: report.seconds, dispose };
  } catch (fault) {
    dispose();
    throw fault;
  }
}

/** The flags of `aloft build` for a temporary engine that is just large enough. */
function randomBuildFlags(flags: BenchFlags, directory: string): Map<string, string | true> {
  const lengths = flags.type === 'static' ? parseLengths(flags.inputOutputLen) : [];
  const largest = (values: readonly number[], otherwise: number) => String(Math.max(otherwise, ...values));
  const given = new Map<string, string | true>([
    ['random_weights', modelOf(flags)],
    ['output_dir', directory],
    ['dtype', flags.dtype ?? 'float16'],
    ['max_batch_size', String(flags.maxBatchSize ?? largest(parseBatchSizes(flags.batchSize), 1))],
    [
      'max_input_len',
      String(
        flags.maxInputLen ??
          largest(
            lengths.map((pair) => pair.inputTokens),
            flags.type === 'static' ? 1 : 2048,
          ),
      ),
    ],
    [
      'max_output_len',
      String(
        flags.maxOutputLen ??
          largest(
            lengths.map((pair) => pair.outputTokens),
            flags.type === 'static' ? 1 : 2048,
          ),
      ),
    ],
  ]);
  const { worldSize } = engineOptions(flags);
  if (worldSize !== undefined)
    for (const flag of ['world_size', 'tp_size']) given.set(flag, String(worldSize));
  if (flags.useWeightOnly) given.set('use_weight_only', true);
  if (flags.kvCacheDtype !== undefined) given.set('kv_cache_dtype', flags.kvCacheDtype);
  if (flags.fp8KvCache) given.set('fp8_kv_cache', true);
  return given;
}

/** The original insists that `--dtype` is the engine's; so does Aloft when it was given. */
function checkPrecision({ manifest }: LoadedBatcher, flags: BenchFlags): void {
  const { precision } = manifest.builder_config;
  if (flags.dtype === undefined || flags.dtype === precision) return;
  throw new AloftError(
    'USAGE',
    `Engine dtype (${precision}) != Runtime dtype (${flags.dtype}); leave --dtype out, or name the engine's.`,
  );
}

/** top_k 1 is greedy, as in the original. */
function samplingOf({ topK, topP }: BenchFlags): SamplingParams {
  if (topK === 1) return GREEDY;
  return { ...GREEDY, temperature: 1, topK, topP: topP === 0 ? 1 : topP, seed: 0n };
}
