/**
 * Measures the CUDA device: `node dist/tools/cuda/speed.bench.js [--library-path DIR] [--out FILE] [--filter int8|int4|fp8|f16]`. Prints
 * a line for each result and writes all of them as JSON.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { NAMED_SHAPES } from '../../builder/random-weights/shapes.js';
import { openDriver } from '../../device/cuda/driver.js';
import { readProperties } from '../../device/cuda/gpu.js';
import { openNvrtc } from '../../device/cuda/nvrtc.js';
import { measureBatch, openRandomExecutor, type BatchResult } from './testing/throughput.js';

const { values: flags } = parseArgs({
  options: {
    'library-path': { type: 'string' },
    out: { type: 'string' },
    filter: { type: 'string' },
  },
});
const libraryPath = flags['library-path'];
const nvrtc = openNvrtc(libraryPath);
const driver = openDriver(libraryPath);
const machine = readProperties(driver, 0);
console.log(JSON.stringify(machine));

const WORK = [
  [1, 128, 128],
  [4, 128, 128],
  [8, 128, 128],
  [16, 128, 128],
  [64, 128, 128],
  [1, 2048, 128],
  [16, 2048, 128],
  [16, 128, 2048],
] as const;
/** Multiplications and additions of the layers for one token of LLaMA-2-7B, attention not counted. */
const LAYER_FLOPS = 2 * 32 * 202_375_168;

const results: Record<string, readonly BatchResult[]> = {};
const MODELS = [
  { word: 'f16', weights: 'dense' },
  { word: 'int8', weights: 'int8' },
  { word: 'int4', weights: 'int4' },
  { word: 'fp8', weights: 'fp8' },
  { word: 'fp8, inputs of 8 bits', weights: 'fp8', inputBits: 8 },
] as const;
for (const { word, ...weights } of MODELS) {
  if (flags.filter !== undefined && !word.startsWith(flags.filter)) continue;
  const started = performance.now();
  const choice = { shape: NAMED_SHAPES['llama2_7b']!, dtype: 'f16', ...weights } as const;
  const limits = { maxStepTokens: 8192, maxRows: 64, maxSequenceTokens: 4096, maxDeviceBytes: undefined };
  const executor = openRandomExecutor(choice, limits, { nvrtc, libraryPath });
  const name = `llama2_7b ${word}`;
  console.log(
    `${name}: open in ${((performance.now() - started) / 1000).toFixed(1)} s, ${JSON.stringify(executor.memory)}`,
  );
  const list: BatchResult[] = [];
  for (const [batch, inputTokens, outputTokens] of WORK) {
    const work = { batch, inputTokens, outputTokens };
    await measureBatch(executor, { ...work, outputTokens: Math.min(outputTokens, 8) });
    const result = await measureBatch(executor, work);
    list.push(result);
    const tflops = (batch * inputTokens * LAYER_FLOPS) / result.prefillMs / 1e9;
    console.log(
      `${name} ${batch} x (${inputTokens},${outputTokens}): ${result.tokensPerSecond.toFixed(1)} tok/s, prefill ${result.prefillMs.toFixed(1)} ms (${tflops.toFixed(0)} TFLOP/s), step ${result.stepMs.toFixed(3)} ms, host ${result.hostUs.toFixed(0)} us`,
    );
  }
  results[name] = list;
  await executor.dispose();
}
const command = `node dist/tools/cuda/speed.bench.js ${process.argv.slice(2).join(' ')}`;
const date = new Date().toISOString();
if (flags.out !== undefined)
  writeFileSync(flags.out, `${JSON.stringify({ command, date, machine, results }, null, 2)}\n`);
