/** Timing for the operators' benchmarks. */
import type { OpCost } from '../plan/ops/op-cost.js';

/** Least of several means, ms: the machine's other work only ever adds. */
export function bestMs(body: () => void, totalMs = 300): number {
  body();
  const startMs = performance.now();
  body();
  const onceMs = Math.max(1e-4, performance.now() - startMs);
  const repeats = Math.max(1, Math.round(totalMs / 5 / onceMs));
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const roundMs = performance.now();
    for (let i = 0; i < repeats; i++) body();
    best = Math.min(best, (performance.now() - roundMs) / repeats);
  }
  return best;
}

/** One line of a benchmark: time, and the rates that follow from bytes moved and operations done. */
export function printRate(title: string, ms: number, work: Partial<OpCost>): void {
  const rates = [
    work.bytes === undefined ? '' : `${(work.bytes / ms / 1e6).toFixed(1)} GB/s`,
    !work.flops ? '' : `${(work.flops / ms / 1e6).toFixed(1)} GFLOP/s`,
  ];
  console.log(
    `${title.padEnd(44)}${(1000 * ms).toFixed(1).padStart(10)} us  ${rates.filter(Boolean).join('  ')}`,
  );
}
