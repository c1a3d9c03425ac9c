/**
 * Times the linears of LLaMA-2-7B's layers in every configuration that a tuner would try:
 * `node dist/builder/cuda/linears.bench.js [--format int4] [--rows 1,4,16] [--dtype f16] [--also KEYS] [--library-path DIR]`.
 * Prints a line for each configuration with the rate at which it reads weights, the built-in one marked, and for each number of
 * rows the sum over all layers by the fastest and by the built-in configurations. `--also` adds configurations by their keys, apart
 * by semicolons, such as "ring 1 2 1 4 4 55296 2".
 */
import { parseArgs } from 'node:util';
import { createLinearTimer } from './linear-timer.js';
import { namedShape } from '../random-weights/shapes.js';
import { openGpu } from '../../device/cuda/gpu.js';
import { openNvrtc } from '../../device/cuda/nvrtc.js';
import { CUDA_FORMATS } from '../../ops/cuda/formats.js';
import { canEndWith, chooseLinear, linearCandidates } from '../../ops/linear/cuda/choose.js';
import { configKey, parseConfigKey, problemKey } from '../../ops/linear/cuda/keys.js';
import type { LinearConfig } from '../../ops/linear/cuda/methods.js';
import type { CudaLinearProblem } from '../../ops/linear/cuda/problem.js';
import { rowClass } from '../../ops/linear/cuda/row-classes.js';
import { type FormatName, formatText, NAMED_FORMATS, weightBytes } from '../../plan/weight-format.js';

const { values: flags } = parseArgs({
  options: {
    format: { type: 'string', default: 'int4' },
    rows: { type: 'string', default: '1,4,8,16,32,64,128,512,2048' },
    dtype: { type: 'string', default: 'f16' },
    also: { type: 'string' },
    'library-path': { type: 'string' },
  },
});
const libraryPath = flags['library-path'];
const dtype = flags.dtype === 'bf16' ? 'bf16' : 'f16';
const format = NAMED_FORMATS[flags.format as FormatName];
if (!CUDA_FORMATS.linear.includes(format))
  throw new Error(
    `--format ${flags.format} is none of ${CUDA_FORMATS.linear.map(formatText).join(', ')} by name.`,
  );
const rowCounts = flags.rows.split(',').map(Number);

const { hidden_size: hidden, intermediate_size: inter, num_hidden_layers: layers } = namedShape('llama2_7b');
/** Queries, keys and values; attention's output; gate and up with SwiGLU; down. */
const LAYER = [
  { n: 3 * hidden, k: hidden, epilogue: 'store' },
  { n: hidden, k: hidden, epilogue: 'store' },
  { n: 2 * inter, k: hidden, epilogue: 'swiglu' },
  { n: hidden, k: inter, epilogue: 'store' },
] as const;
const problems: readonly CudaLinearProblem[] = rowCounts.flatMap((m) =>
  LAYER.map((linear) => ({ ...linear, m, format })),
);

const gpu = openGpu(0, libraryPath);
console.log(JSON.stringify(gpu.properties));
const timer = createLinearTimer(
  { gpu, nvrtc: openNvrtc(libraryPath), dtype, libraryPath },
  problems,
  (problem, device) => [...linearCandidates(problem, device), ...alsoFor(problem)],
);
for (const m of rowCounts) {
  const sums = { fastest: 0, builtIn: 0 };
  for (const problem of problems.filter((one) => one.m === m)) {
    const { fastest, builtIn } = timeProblem(problem);
    sums.fastest += fastest;
    sums.builtIn += builtIn;
  }
  const [fastest, builtIn] = [sums.fastest, sums.builtIn].map((us) => ((us * layers) / 1000).toFixed(3));
  console.log(`${m} rows, ${layers} layers: ${fastest} ms by the fastest, ${builtIn} ms by the built-in\n`);
}
gpu.dispose();

/** Configurations of `--also` for the problem's number of rows. */
function alsoFor(problem: CudaLinearProblem): readonly LinearConfig[] {
  return (flags.also?.split(';') ?? []).flatMap((key) => {
    const config = parseConfigKey(key.trim(), 0);
    if (config === undefined) throw new Error(`'${key}' is the key of no configuration.`);
    const isFor = config.method === 'ring' && rowClass(problem.m) === config.tokenGroups * 8;
    return isFor && canEndWith(config, problem) ? [config] : [];
  });
}

/** Microseconds of the fastest configuration and of the built-in one. */
function timeProblem(problem: CudaLinearProblem): { readonly fastest: number; readonly builtIn: number } {
  const { m, n, k } = problem;
  const first = configKey(chooseLinear(problem, gpu.properties), timer.libraryVersion);
  const times = timer
    .candidates(problem)
    .map((config) => ({
      key: configKey(config, timer.libraryVersion),
      us: timer.microseconds(problem, config) ?? Infinity,
    }))
    .toSorted((a, b) => a.us - b.us);
  console.log(`${problemKey(problem)}, ${m} now`);
  for (const { key, us } of times) {
    const rate = weightBytes(problem.format, n, k) / us / 1e6;
    const tflops = (2 * m * n * k) / us / 1e6;
    const mark = key === first ? '  built-in' : '';
    console.log(
      `  ${key.padEnd(28)} ${us.toFixed(2).padStart(9)} us ${rate.toFixed(2)} TB/s ${tflops.toFixed(0).padStart(4)} TFLOP/s${mark}`,
    );
  }
  return { fastest: times[0]!.us, builtIn: times.find(({ key }) => key === first)!.us };
}
