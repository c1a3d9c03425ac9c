/**
 * Measures how many tokens a second cross from the engine thread to the main thread, with a device that answers at once, and how
 * much of the main thread that takes.   node dist/run/batcher/thread/threaded-batcher.bench.js [seconds]
 */
import { DEFAULT_BATCHER_OPTIONS } from '../batcher-options.js';
import { tokenRequest } from '../testing/mixed-requests.js';
import { openThreadedBatcher } from './threaded-batcher.js';

const OUTPUT_TOKENS = 512;
const seconds = Number(process.argv[2] ?? 5);

console.log('streams  tokens/s  steps/s  main thread busy  us/token on the main thread');
for (const rowCount of [1, 64, 1024]) {
  const batcher = await openThreadedBatcher({
    executorUrl: new URL('../testing/null-executor.js', import.meta.url).href,
    executorOptions: { rowCount, sequenceTokens: OUTPUT_TOKENS + 32 },
    batcher: DEFAULT_BATCHER_OPTIONS,
  });
  let [requestCount, tokenCount, stepCount] = [0, 0, 0];
  batcher.onStep(() => stepCount++);
  const submit = (maxOutputTokens: number): void =>
    batcher.submit(tokenRequest(`${requestCount++}`, { maxOutputTokens }), (event) => {
      if (event.type === 'token') tokenCount++;
      else if (event.type === 'finished') submit(OUTPUT_TOKENS);
    });
  for (let i = 0; i < rowCount; i++) submit(1 + Math.floor((OUTPUT_TOKENS * i) / rowCount));
  await new Promise((resolve) => setTimeout(resolve, 500));
  [tokenCount, stepCount] = [0, 0];
  const before = performance.eventLoopUtilization();
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const elapsedMs = performance.now() - startMs;
  const busy = performance.eventLoopUtilization(before);
  const row = [
    String(rowCount).padStart(7),
    ((tokenCount * 1000) / elapsedMs).toFixed(0).padStart(8),
    ((stepCount * 1000) / elapsedMs).toFixed(0).padStart(7),
    `${(busy.utilization * 100).toFixed(0)} %`.padStart(16),
    ((busy.active * 1000) / tokenCount).toFixed(2).padStart(27),
  ];
  console.log(row.join('  '));
  await batcher.close();
}
