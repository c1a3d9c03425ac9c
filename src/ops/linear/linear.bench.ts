/**
 * All linears of a model's layers one after the other, as a step runs them, so that weights come from memory:
 * decode of 1 and 16 tokens and a prompt of 512, as rates, shares of what the machine can do, and tokens/s that leave
 * out everything but linears. node dist/ops/linear/linear.bench.js [threads] [level] [format ...]
 */
import { seededRandom } from '../../core/random.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { ISA_LEVELS } from '../../device/cpu/isa.js';
import { addressOf } from '../../ffi/memory.js';
import { measureLimits, type MachineLimits } from '../cpu/limits.js';
import { randomMatrix } from '../matrix.js';
import { bestMs } from '../measure.js';
import { arithmeticOf } from '../../device/cpu/linear-arithmetic.js';
import { linearCost } from '../../plan/ops/linear.js';
import { elementOf, type FormatName, NAMED_FORMATS } from '../../plan/weight-format.js';
import { bindLinear, type CpuLinear } from './cpu/cpu.js';
import { packWeight, sourceOf } from './testing/test-weights.js';

/** TinyLlama-1.1B: qkv, attention output, gate and up, down. [in, out] */
const LAYER_SHAPES = [
  [2048, 2560],
  [2048, 2048],
  [2048, 11264],
  [5632, 2048],
] as const;
const LAYER_COUNT = 22;
const TOKEN_COUNTS = [1, 16, 512];
const FORMATS = ['int4', 'int8', 'fp8', 'f16', 'bf16', 'f32'] as const;

const [threads, level, ...formats] = process.argv.slice(2);
const isa = ISA_LEVELS.find((name) => name === level);
const pool = createCpuPool({
  ...(threads === undefined ? {} : { threadCount: Number(threads) }),
  ...(isa === undefined ? {} : { isa }),
});
const limits = measureLimits(pool.library, pool.handle);
printLimits(limits);
for (const name of FORMATS) {
  if (formats.length === 0 || formats.includes(name)) measureFormat(name);
}
pool.dispose();

function printLimits({ readGBps, peakGops }: MachineLimits): void {
  const peaks = Object.entries(peakGops).filter(([, gops]) => gops > 0);
  const list = peaks.map(([name, gops]) => `${name} ${gops.toFixed(0)} GOP/s`).join(', ');
  console.log(`${pool.threadCount} threads, ${pool.isa}; limits: read ${readGBps.toFixed(1)} GB/s, ${list}`);
}

function measureFormat(name: FormatName): void {
  const largestTokens = Math.max(...TOKEN_COUNTS);
  const x = randomMatrix(largestTokens, 5632, seededRandom(1));
  const out = new Float32Array(largestTokens * 11264);
  const layers = buildLayers(name);
  for (const tokenCount of TOKEN_COUNTS) {
    const step = (): void => {
      for (const linear of layers.linears) linear(tokenCount, addressOf(x.data), addressOf(out));
    };
    printCase(name, tokenCount, bestMs(step, 1500));
  }
  layers.dispose();
}

function printCase(name: FormatName, tokenCount: number, ms: number): void {
  const format = NAMED_FORMATS[name];
  const total = (tokens: number, part: 'bytes' | 'flops'): number =>
    LAYER_SHAPES.reduce((sum, [inCount, outCount]) => {
      return (
        sum +
        LAYER_COUNT * linearCost({ tokenCount: tokens, inCount, outCount, format, activationBytes: 4 })[part]
      );
    }, 0);
  const [arithmetic, products] = arithmeticOf(elementOf(format), pool.isa);
  const weightGBps = total(0, 'bytes') / ms / 1e6;
  const gflops = total(tokenCount, 'flops') / ms / 1e6;
  const ofRead = ((100 * weightGBps) / limits.readGBps).toFixed(0);
  const ofPeak = ((100 * products * gflops) / limits.peakGops[arithmetic]).toFixed(0);
  console.log(
    `${name.padEnd(5)}${String(tokenCount).padStart(4)} tokens  weights ${weightGBps.toFixed(1)} GB/s (${ofRead}% of reading)  ` +
      `${gflops.toFixed(0)} GFLOP/s (in ${products} products: ${ofPeak}% of ${arithmetic})  ${((1000 * tokenCount) / ms).toFixed(1)} tokens/s`,
  );
}

/** Every layer has memory of its own; the values of all layers are the same. */
function buildLayers(name: FormatName): {
  readonly linears: readonly CpuLinear[];
  readonly dispose: () => void;
} {
  const bind = bindLinear(pool.library, pool.handle);
  const source = randomMatrix(11264, 2048, seededRandom(2)); // as many values as the largest weight
  const layers = Array.from({ length: LAYER_COUNT }, () =>
    LAYER_SHAPES.map(([columnCount, rowCount]) =>
      packWeight(pool, sourceOf('f32', source.data, { rowCount, columnCount, data: source.data }), name),
    ),
  ).flat();
  return {
    linears: layers.map(({ weight }) => bind(weight)),
    dispose: () => {
      for (const layer of layers) layer.dispose();
    },
  };
}
