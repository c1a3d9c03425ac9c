/**
 * What a step costs on the host: planning, packing, reading results and telling them, with a device that answers at once.
 * Every sequence that ends is replaced, so requests enter and leave all the time.
 *
 *   node --expose-gc dist/run/batcher/batcher.bench.js [steps]         rows 1, 64, 256, 1024
 *   node --expose-gc dist/run/batcher/batcher.bench.js 1000000 64      heap growth over a million steps
 */
import { SYSTEM_CLOCK } from '../../core/clock.js';
import type { StepInput, StepOutput } from '../../core/step.js';
import type { Executor } from '../executor/executor.js';
import { Batcher } from './batcher.js';
import { DEFAULT_BATCHER_OPTIONS } from './batcher-options.js';
import { tokenRequest } from './testing/mixed-requests.js';

const PROMPT_TOKENS = 256;
const OUTPUT_TOKENS = 512;
const WARM_UP_STEPS = 2000;

/** Answers every step at once with the same token. */
class NullExecutor implements Executor {
  readonly limits;
  readonly memory = {
    totalBytes: 0,
    weightBytes: 0,
    workspaceBytes: 0,
    kvBytes: 0,
    kvBytesPerToken: 0,
    hostKvBytes: 0,
  };
  private readonly outputs: StepOutput[];
  private readonly submitted: StepInput[] = [];

  constructor(rowCount: number) {
    const blockTokens = 16;
    this.limits = {
      maxStepTokens: rowCount + 2048,
      maxRows: rowCount,
      maxLogits: rowCount,
      blockTokens,
      blockCount: (rowCount * (PROMPT_TOKENS + OUTPUT_TOKENS)) / blockTokens,
      hostBlockCount: 0,
      maxSequenceTokens: 4096,
      vocabulary: 32_000,
    };
    const tokenIds = new Int32Array(rowCount).fill(17);
    this.outputs = Array.from({ length: rowCount + 1 }, (_, logitCount) => ({
      stepId: 0,
      logitCount,
      tokenIds,
      logprobs: new Float32Array(0),
      topCount: 0,
      topTokenIds: new Int32Array(0),
      topLogprobs: new Float32Array(0),
      logits: undefined,
      deviceMs: 0,
    }));
  }

  attachSlot(): void {}

  detachSlot(): void {}

  submit(step: StepInput): void {
    this.submitted.push(step);
  }

  async collect(): Promise<StepOutput> {
    const { stepId, logitCount } = this.submitted.shift()!;
    return Object.assign(this.outputs[logitCount]!, { stepId });
  }

  async dispose(): Promise<void> {}
}

interface Measurement {
  readonly stepUs: Float64Array;
  readonly heapGrowthBytes: number;
}

async function measure(rowCount: number, overlap: boolean, stepCount: number): Promise<Measurement> {
  const batcher = new Batcher(
    new NullExecutor(rowCount),
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
