/**
 * Compares weight formats on the CPU: decode steps and a prompt of the 1.1B shape (TinyLlama) with random weights, the formats taking
 * turns in one process. Times are processor time of one thread, so that a busy machine changes them little. Builds the engines in a
 * temporary folder.
 *
 *   node bench/step/weight-formats.mjs [result.json] [format ...]
 *
 * Prints the shortest and the median step of each format and how many times as fast as the first format it is.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildStep } from '../../dist/core/build-step.js';
import { GREEDY } from '../../dist/core/sampling.js';
import { openExecutor } from '../../dist/run/executor/open-executor.js';
import { writeBenchRecord } from '../../dist/text/testing/bench-record.js';

const aloft = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const BLOCKS = 40;
const [file, ...given] = process.argv.slice(2);
const formats = given.length > 0 ? given : ['int8', 'int4', 'int4_g32', 'int4_zeros'];
const range = (count) => Array.from({ length: count }, (_, i) => i);

function row(slot, firstPosition, count) {
  const tokenIds = range(count).map((i) => (i * 7919 + slot) % 32_000);
  return { slot, tokenIds, firstPosition, blocks: range(BLOCKS).map((i) => slot * BLOCKS + i) };
}

const CASES = [
  { name: 'decode, 1 sequence', rows: [row(0, 128, 1)], repeats: 40 },
  { name: 'decode, 8 sequences', rows: range(8).map((slot) => row(slot, 128, 1)), repeats: 10 },
  { name: 'prompt of 128 tokens', rows: [row(0, 0, 128)], repeats: 3 },
];

async function open(format, folder) {
  const directory = join(folder, format);
  const limits = ['--max_batch_size', '8', '--max_input_len', '512', '--max_output_len', '64'];
  const flags = ['--device', 'cpu', '--random_weights', 'tinyllama_1b', '--quantization', format, ...limits];
  execFileSync(process.execPath, [aloft, 'build', ...flags, '--output_dir', directory], { stdio: 'ignore' });
  const executor = await openExecutor({
    engineDirectory: directory,
    maxKvTokens: 8 * BLOCKS * 16,
    threadCount: 1,
  });
  const sequence = { sampling: GREEDY, isBeam: false, endIds: [] };
  for (const slot of range(8))
    executor.attachSlot({
      slot,
      ...sequence,
      promptTokenIds: new Int32Array(0),
      outputTokenIds: new Int32Array(0),
    });
  return executor;
}

async function timesOf(executors, { rows, repeats }) {
  const step = buildStep(rows);
  const times = executors.map(() => []);
  for (let i = -1; i < repeats; i++) {
    for (const [index, executor] of executors.entries()) {
      const start = process.cpuUsage();
      executor.submit(step);
      await executor.collect();
      const { user, system } = process.cpuUsage(start);
      if (i >= 0) times[index].push((user + system) / 1000);
    }
  }
  return times.map((list) => list.toSorted((a, b) => a - b));
}

const folder = mkdtempSync(join(tmpdir(), 'aloft-formats-'));
try {
  const executors = [];
  for (const format of formats) executors.push(await open(format, folder));
  const results = [];
  for (const one of CASES) {
    const times = await timesOf(executors, one);
    const steps = times.map((list) => ({ minMs: list[0], medianMs: list[list.length >> 1] }));
    for (const [index, { minMs, medianMs }] of steps.entries()) {
      const faster = { byMin: steps[0].minMs / minMs, byMedian: steps[0].medianMs / medianMs };
      results.push({ case: one.name, format: formats[index], minMs, medianMs, ...faster });
      console.log(
        `${one.name.padEnd(22)}${formats[index].padEnd(12)} min ${minMs.toFixed(1)} ms (${faster.byMin.toFixed(2)}x), median ${medianMs.toFixed(1)} ms (${faster.byMedian.toFixed(2)}x)`,
      );
    }
  }
  for (const executor of executors) await executor.dispose();
  if (file !== undefined) writeBenchRecord(file, 'bench/step/weight-formats.mjs', { results });
} finally {
  rmSync(folder, { recursive: true });
}
