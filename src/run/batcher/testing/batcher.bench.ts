/**
 * Measures the cost of a step on the host: planning, packing, reading results and emitting them, with a device that answers at once.
 * Every sequence that ends is replaced, so requests enter and leave all the time.
 *
 *   node --expose-gc dist/run/batcher/testing/batcher.bench.js [steps]         rows 1, 64, 256, 1024
 *   node --expose-gc dist/run/batcher/testing/batcher.bench.js 1000000 64      heap growth over a million steps
 */
import { SYSTEM_CLOCK } from '../../../core/clock.js';
import { Batcher } from '../batcher.js';
import { DEFAULT_BATCHER_OPTIONS } from '../batcher-options.js';
import { tokenRequest } from './mixed-requests.js';
import { NullExecutor } from './null-executor.js';

const PROMPT_TOKENS = 256;
const OUTPUT_TOKENS = 512;
const WARM_UP_STEPS = 2000;

interface Measurement {
  readonly stepUs: Float64Array;
  readonly heapGrowthBytes: number;
}

async function measure(rowCount: number, overlap: boolean, stepCount: number): Promise<Measurement> {
  const batcher = new Batcher(
    new NullExecutor(rowCount, PROMPT_TOKENS + OUTPUT_TOKENS),
    { ...DEFAULT_BATCHER_OPTIONS, overlap },
    SYSTEM_CLOCK,
  );
  let requestCount = 0;
  let tokenCount = 0;
  batcher.onStep(() => {});
  const submit = (outputTokens: number): void => {
    const promptTokenIds = Int32Array.from({ length: PROMPT_TOKENS }, (_, i) => (i * requestCount) % 32_000);
    const request = tokenRequest(`${requestCount++}`, { promptTokenIds, maxOutputTokens: outputTokens });
    batcher.submit(request, (event) => {
      if (event.type === 'token') tokenCount++;
      else if (event.type === 'finished') submit(OUTPUT_TOKENS);
    });
  };
  // Different first lengths spread the ends over all steps.
  for (let i = 0; i < rowCount; i++) submit(1 + Math.floor((OUTPUT_TOKENS * i) / rowCount));
  for (let i = 0; i < WARM_UP_STEPS; i++) await batcher.turn();
  const heapBefore = settledHeapBytes();
  const stepUs = new Float64Array(stepCount);
  for (let i = 0; i < stepCount; i++) {
    const start = performance.now();
    await batcher.turn();
    stepUs[i] = (performance.now() - start) * 1000;
  }
  if (tokenCount < (stepCount * rowCount) / 2) throw new Error(`only ${tokenCount} tokens came`);
  return { stepUs: stepUs.toSorted(), heapGrowthBytes: settledHeapBytes() - heapBefore };
}

function settledHeapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const stepCount = Number(process.argv[2] ?? 20_000);
const rowCounts = process.argv[3] === undefined ? [1, 64, 256, 1024] : [Number(process.argv[3])];
console.log('rows  form        mean us  median us  p99 us  us/row  heap growth KiB');
for (const rowCount of rowCounts) {
  for (const overlap of [true, false]) {
    const { stepUs, heapGrowthBytes } = await measure(rowCount, overlap, stepCount);
    const mean = stepUs.reduce((sum, us) => sum + us, 0) / stepCount;
    const at = (share: number) => stepUs[Math.floor(share * stepCount)]!.toFixed(1);
    console.log(
      `${String(rowCount).padStart(4)}  ${(overlap ? 'overlapped' : 'plain').padEnd(10)}  ${mean.toFixed(1).padStart(7)}  ` +
        `${at(0.5).padStart(9)}  ${at(0.99).padStart(6)}  ${(mean / rowCount).toFixed(2).padStart(6)}  ${(heapGrowthBytes / 1024).toFixed(0).padStart(15)}`,
    );
  }
}
