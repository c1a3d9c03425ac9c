/** `aloft bench`: static batches as TensorRT-LLM's benchmark.py, or requests in flight as gptManagerBenchmark. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { AloftError } from '../../core/errors.js';
import { lineLog, LOG_LEVELS, type LogLevel } from '../../core/log.js';
import { GREEDY, type SamplingParams } from '../../core/sampling.js';
import { startEngine, type RunningEngine } from '../../llm/load.js';
import { benchInflight, type InflightFlags } from '../bench/inflight-command.js';
import { benchStatic, type StaticFlags } from '../bench/static-command.js';
import { parseBatchSizes, parseLengths } from '../bench/sweep.js';
import { runBuild } from './build.js';
import { DEVICE_CHOICES, type DeviceChoice } from './build-target.js';
import { addLoadFlags, engineOptions, type LoadFlags } from './engine-flags.js';
import { oneOf, realNumber, wholeNumber } from './flags.js';
import type { Terminal } from './terminal.js';

const MODES = ['static', 'IFB', 'V1'] as const;
const DTYPES = ['float16', 'bfloat16', 'float32'] as const;

interface BenchFlags extends LoadFlags, StaticFlags, InflightFlags {
  readonly engineDir?: string;
  readonly mode: string;
  readonly topK: number;
  readonly topP: number;
  readonly type: (typeof MODES)[number];
  readonly dtype?: (typeof DTYPES)[number];
  readonly randomWeights?: true;
  readonly useWeightOnly?: true;
  readonly maxBatchSize?: number;
  readonly maxInputLen?: number;
  readonly maxOutputLen?: number;
  readonly device: DeviceChoice;
  readonly logLevel: LogLevel;
}

export function registerBench(program: Command, terminal: Terminal): void {
  const command = program
    .command('bench')
    .description('measure an engine: a sweep of static batches, or requests in flight')
    .option('-m, --model <name>', 'name to print; with --random_weights a shape such as llama_7b', 'llama_7b')
    .option(
      '--mode <mode>',
      'plugin or ootb: accepted, both mean the same here',
      oneOf(['plugin', 'ootb']),
      'plugin',
    )
    .option(
      '--type <type>',
      'static: the sweep; IFB or V1: requests in flight or in static batches',
      oneOf(MODES),
      'static',
    )
    .option('--dtype <type>', DTYPES.join(', '), oneOf(DTYPES))
    .option('--batch-size <list>', 'static: batch sizes, "1;4;8;16"', '8')
    .option('--input-output-len <list>', 'static: pairs, "128,128;128,2048"', '128,20')
    .option('--warm-up <runs>', 'static: runs before measuring', wholeNumber(0), 2)
    .option('--num-runs <runs>', 'static: measured runs at least', wholeNumber(1), 10)
    .option('--duration <seconds>', 'static: measured seconds at least', realNumber(0, 1e6), 60)
    .option('--top-k <k>', 'keep the k most likely tokens', wholeNumber(0), 1)
    .option('--top-p <p>', 'keep the most likely tokens up to this probability', realNumber(0, 1), 0)
    .option('--csv', 'CSV lines instead of [BENCHMARK] lines')
    .option('--json <file>', 'also write a JSON file with machine, versions, commit and command')
    .option('--random-weights', 'build a temporary engine of the shape named by -m with random weights')
    .option('--use-weight-only', 'with --random_weights: INT8 weights')
    .option(
      '--max-batch-size <n>',
      'with --random_weights (default: the largest of --batch_size)',
      wholeNumber(1),
    )
    .option('--max-input-len <n>', 'with --random_weights (default: as the sweep needs)', wholeNumber(1))
    .option('--max-output-len <n>', 'with --random_weights (default: as the sweep needs)', wholeNumber(1))
    .option(
      '--device <device>',
      `with --random_weights: ${DEVICE_CHOICES.join(', ')}`,
      oneOf(DEVICE_CHOICES),
      'auto',
    )
    .option('--dataset <file>', 'IFB, V1: requests as gptManagerBenchmark or trtllm-bench write them')
    .option('--num-requests <n>', 'IFB, V1: generated requests', wholeNumber(1), 128)
    .option(
      '--input-len <lengths>',
      'IFB, V1: constant:128, uniform:16,256, normal:128,32 or geometric:64,512',
      'constant:128',
    )
    .option('--output-len <lengths>', 'IFB, V1: likewise', 'geometric:64,512')
    .option(
      '--request-rate <n>',
      'IFB, V1: Poisson arrivals a second (default: all at once)',
      realNumber(1e-6, 1e9),
      Infinity,
    )
    .option('--seed <n>', 'IFB, V1: seed of lengths and arrivals', wholeNumber(0), 0)
    .option('--log-level <level>', LOG_LEVELS.join(', '), oneOf(LOG_LEVELS), 'error');
  command.option('--engine-dir <dir>', 'engine to measure');
  addLoadFlags(command);
  command.action(async (flags: BenchFlags) => runBench(flags, terminal));
}

async function runBench(flags: BenchFlags, terminal: Terminal): Promise<void> {
  const { directory, buildSeconds, dispose } = await engineFor(flags, terminal);
  try {
    const scheduler = flags.type === 'V1' ? { batchingType: 'V1' as const } : {};
    const engine = await startEngine(directory, { ...engineOptions(flags), scheduler });
    try {
      checkPrecision(engine, flags);
      if (flags.type === 'static')
        await benchStatic({ engine, flags, sampling: samplingOf(flags), buildSeconds, terminal });
      else
        await benchInflight({ engine, tokenizerDirectory: flags.tokenizerDir ?? directory, flags, terminal });
    } finally {
      await engine.batcher.close();
      await engine.executor.dispose();
    }
  } finally {
    dispose();
  }
}

interface BenchEngine {
  readonly directory: string;
  /** 0 for an engine that existed. */
  readonly buildSeconds: number;
  readonly dispose: () => void;
}

async function engineFor(flags: BenchFlags, terminal: Terminal): Promise<BenchEngine> {
  if (!flags.randomWeights) {
    if (flags.engineDir !== undefined)
      return { directory: flags.engineDir, buildSeconds: 0, dispose: () => {} };
    throw new AloftError(
      'USAGE',
      'Nothing to measure: give --engine_dir, or --random_weights with a shape in -m.',
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'aloft-bench-'));
  const directory = join(folder, 'engine');
  const log = lineLog(flags.logLevel, (line) => terminal.err(`${line}\n`));
  const report = await runBuild(randomBuildFlags(flags, directory), flags, log, terminal);
  return {
    directory,
    buildSeconds: report.seconds,
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The flags of `aloft build` for a temporary engine that is just large enough. */
function randomBuildFlags(flags: BenchFlags, directory: string): Map<string, string | true> {
  const lengths = flags.type === 'static' ? parseLengths(flags.inputOutputLen) : [];
  const largest = (values: readonly number[], otherwise: number) => String(Math.max(otherwise, ...values));
  const given = new Map<string, string | true>([
    ['random_weights', flags.model],
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
  if (flags.useWeightOnly) given.set('use_weight_only', true);
  return given;
}

/** The original insists that `--dtype` is the engine's; so does Aloft when it was given. */
function checkPrecision({ manifest }: RunningEngine, flags: BenchFlags): void {
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
