/** Flags of `aloft bench`: those of TensorRT-LLM's benchmark.py and gptManagerBenchmark, and Aloft's own. */
import { type Command, Option } from 'commander';
import { KV_CACHE_NAMES } from '../../core/dtype.js';
import { requireOwnOptions } from '../../core/device-options.js';
import { AloftError } from '../../core/errors.js';
import { LOG_LEVELS, type LogLevel } from '../../core/log.js';
import type { InflightFlags } from '../bench/inflight-command.js';
import type { StaticFlags } from '../bench/static-command.js';
import { DEVICE_CHOICES, type DeviceChoice } from './build-target.js';
import { addLoadFlags, addSchedulingFlags, engineOptions, type LoadFlags } from './engine-flags.js';
import { oneOf, realNumber, wholeNumber } from './flags.js';

const MODES = ['static', 'IFB', 'V1'] as const;
const KV_CACHES = ['auto', ...KV_CACHE_NAMES];
const DTYPES = ['float16', 'bfloat16', 'float32'] as const;

export interface BenchFlags extends LoadFlags, Omit<StaticFlags, 'model'>, InflightFlags {
  readonly model?: string;
  readonly engineDir?: string;
  readonly mode: string;
  readonly topK: number;
  readonly topP: number;
  readonly numBeams: number;
  readonly type: (typeof MODES)[number];
  readonly dtype?: (typeof DTYPES)[number];
  readonly randomWeights?: true;
  readonly useWeightOnly?: true;
  readonly kvCacheDtype?: string;
  readonly fp8KvCache?: true;
  readonly outputDir?: string;
  readonly maxBatchSize?: number;
  readonly maxInputLen?: number;
  readonly maxOutputLen?: number;
  readonly device?: DeviceChoice;
  readonly logLevel: LogLevel;
}

/** Flags of the originals that Aloft refuses, and what to do instead. */
const REFUSED = [
  ['--refit', 'engines are not refitted; leave it out'],
  ['--enable-fp8', 'build with aloft build --quantization fp8 and give --engine_dir'],
  ['--force-num-layer-1', 'build with aloft build --n_layer 1 and give --engine_dir'],
  ['--n-positions <n>', 'build with aloft build --n_positions and give --engine_dir'],
] as const;

/** Flags of the originals whose effect Aloft always has. */
const ALWAYS = [
  ['--enable-cuda-graph', 'GPU steps are always graphs'],
  ['--enable-custom-all-reduce', 'the all-reduce is chosen when the engine runs'],
] as const;

export function addBenchFlags(command: Command): void {
  command
    .option('--engine-dir <dir>', 'engine to measure')
    .option(
      '-m, --model <name>',
      "name to print (default: that of the engine's directory); with --random_weights a shape (default: llama_7b)",
    )
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
    .option('--dtype <type>', DTYPES.join(', '), oneOf(DTYPES));
  addStaticFlags(command);
  addResultFlags(command);
  addRandomWeightFlags(command);
  addInflightFlags(command);
  addLoadFlags(command.optionsGroup('Engine and memory:'));
  addSchedulingFlags(command);
  command.optionsGroup('Flags of the originals:');
  for (const [flag, why] of ALWAYS) command.addOption(new Option(flag, `accepted: ${why}`));
  for (const [flag, instead] of REFUSED) command.addOption(new Option(flag, `[not supported: ${instead}]`));
}

function addStaticFlags(command: Command): void {
  command
    .optionsGroup('Static batches:')
    .option('--batch-size <list>', 'static: batch sizes, "1;4;8;16"', '8')
    .option('--input-output-len <list>', 'static: pairs, "128,128;128,2048"', '128,20')
    .option('--warm-up <runs>', 'static: runs before measuring', wholeNumber(0), 2)
    .option('--num-runs <runs>', 'static: measured runs at least', wholeNumber(1), 10)
    .option('--duration <seconds>', 'static: measured seconds at least', realNumber(0, 1e6), 60)
    .option('--top-k <k>', 'keep the k most likely tokens', wholeNumber(0), 1)
    .option('--top-p <p>', 'keep the most likely tokens up to this probability', realNumber(0, 1), 0)
    .option('--num-beams <n>', 'static: beam search when over 1', wholeNumber(1, 32), 1);
}

function addResultFlags(command: Command): void {
  command
    .optionsGroup('Results:')
    .option('--csv', 'CSV lines instead of [BENCHMARK] lines')
    .option('--json <file>', 'also write a JSON file with machine, versions, commit and command')
    .option('--html <file>', 'also write a report: one page with charts and tables')
    .option('--compare <file>', 'with --html: the --json result of an earlier run, drawn beside this one')
    .option('--log-level <level>', LOG_LEVELS.join(', '), oneOf(LOG_LEVELS), 'error');
}

function addRandomWeightFlags(command: Command): void {
  command
    .optionsGroup('Engine with random weights:')
    .option('--random-weights', 'build a temporary engine of the shape named by -m with random weights')
    .option('--use-weight-only', 'with --random_weights: INT8 weights')
    .option('--kv-cache-dtype <type>', `with --random_weights: ${KV_CACHES.join(', ')}`, oneOf(KV_CACHES))
    .option('--fp8-kv-cache', 'the same as --kv_cache_dtype fp8')
    .option(
      '--max-batch-size <n>',
      'with --random_weights (default: the largest of --batch_size)',
      wholeNumber(1),
    )
    .option('--max-input-len <n>', 'with --random_weights (default: as the sweep needs)', wholeNumber(1))
    .option('--max-output-len <n>', 'with --random_weights (default: as the sweep needs)', wholeNumber(1))
    .option(
      '--device <device>',
      `with --random_weights: ${DEVICE_CHOICES.join(', ')} (default: auto)`,
      oneOf(DEVICE_CHOICES),
    )
    .option('--output-dir <dir>', 'with --random_weights: keep the engine here');
}

function addInflightFlags(command: Command): void {
  command
    .optionsGroup('Requests in flight:')
    .option('--dataset <file>', 'IFB, V1: requests as gptManagerBenchmark or trtllm-bench write them')
    .option('--num-requests <n>', 'IFB, V1: generated requests', wholeNumber(1), 128)
    .option(
      '--input-len <lengths>',
      'IFB, V1: constant:128, uniform:16,256, normal:128,32 or geometric:64,512',
      'constant:128',
    )
    .option('--output-len <lengths>', 'IFB, V1: likewise', 'geometric:64,512')
    .addOption(
      new Option('--request-rate <n>', 'IFB, V1: Poisson arrivals a second')
        .argParser(realNumber(1e-6, 1e9))
        .default(Infinity, 'all at once'),
    )
    .option('--seed <n>', 'IFB, V1: seed of lengths and arrivals', wholeNumber(0), 0);
}

/** Flags of the engine that `--random_weights` builds, by their names among the parsed. */
const OF_RANDOM_WEIGHTS = {
  device: '--device',
  useWeightOnly: '--use_weight_only',
  kvCacheDtype: '--kv_cache_dtype',
  outputDir: '--output_dir',
} as const;
/** Those of them that benchmark.py takes beside `--engine_dir`, too, where the engine's own configuration wins. */
const OVERRIDDEN_BY_ENGINES = {
  fp8KvCache: '--fp8_kv_cache',
  maxBatchSize: '--max_batch_size',
  maxInputLen: '--max_input_len',
  maxOutputLen: '--max_output_len',
} as const;

/** An engine that is there has been built, and cannot be changed. */
function requireRandomWeights(
  { randomWeights, device = 'auto', ...flags }: BenchFlags,
  given: Readonly<Record<string, unknown>>,
): void {
  if (randomWeights) {
    if (device !== 'auto')
      requireOwnOptions(engineOptions(flags), { device, engine: 'the one of --random_weights' });
    return;
  }
  const [, flag] = Object.entries(OF_RANDOM_WEIGHTS).find(([name]) => given[name] !== undefined) ?? [];
  if (flag !== undefined)
    throw new AloftError(
      'USAGE',
      `${flag} is for an engine of --random_weights; add that flag, or leave it out.`,
    );
}

/**
 * @returns warnings about flags without effect
 * @throws {AloftError} UNSUPPORTED for flags that are known and refused, USAGE for those that need another
 */
export function checkBenchFlags(flags: BenchFlags): readonly string[] {
  const given = flags as unknown as Record<string, unknown>;
  for (const [flag, instead] of REFUSED) {
    if (given[new Option(flag).attributeName()] === undefined) continue;
    throw new AloftError('UNSUPPORTED', `${flag.split(' ')[0]} is not supported: ${instead}.`);
  }
  requireRandomWeights(flags, given);
  if (flags.engineDir !== undefined && flags.randomWeights)
    throw new AloftError('USAGE', '--engine_dir and --random_weights exclude each other; drop one.');
  if (flags.engineDir === undefined && !flags.randomWeights)
    throw new AloftError(
      'USAGE',
      'Nothing to measure: give --engine_dir, or --random_weights with a shape in -m.',
    );
  if (flags.numBeams > 1 && flags.type !== 'static')
    throw new AloftError('USAGE', '--num_beams is for --type static; leave it out.');
  if (flags.randomWeights) return [];
  return Object.entries(OVERRIDDEN_BY_ENGINES)
    .filter(([name]) => given[name] !== undefined)
    .map(([, flag]) => `${flag} changes nothing about an engine that is built; its own configuration holds.`);
}
