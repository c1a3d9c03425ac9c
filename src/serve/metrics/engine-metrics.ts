/** Plain `aloft_*` metrics of engines: what the batcher does. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { EngineStats } from './engine-stats.js';

const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

type Value = (stats: EngineStats) => number;

const COUNTERS: readonly (readonly [string, string, Value])[] = [
  ['aloft_steps_total', 'Steps of the batcher.', (stats) => stats.stepCount],
  ['aloft_generated_tokens_total', 'Tokens that sequences were given.', (stats) => stats.generatedTokenCount],
  ['aloft_prefill_tokens_total', 'Prompt tokens that were computed.', (stats) => stats.prefillTokenCount],
  [
    'aloft_prefix_hit_tokens_total',
    'Prompt tokens found in the prefix cache.',
    (stats) => stats.prefixHitTokenCount,
  ],
  [
    'aloft_preemptions_total',
    'Requests that gave their blocks back to go on later.',
    (stats) => stats.preemptionCount,
  ],
];

const GAUGES: readonly (readonly [string, string, Value])[] = [
  ['aloft_running_requests', 'Requests in the running batch.', ({ latest }) => latest.runningCount],
  ['aloft_waiting_requests', 'Requests in the queue.', ({ latest }) => latest.waitingCount],
  ['aloft_kv_blocks_total', 'Blocks of the KV cache.', ({ latest }) => latest.totalBlockCount],
  ['aloft_kv_blocks_free', 'Blocks that hold nothing.', ({ latest }) => latest.freeBlockCount],
  ['aloft_kv_blocks_cached', 'Blocks kept for prefixes only.', ({ latest }) => latest.cachedBlockCount],
  [
    'aloft_heartbeat_age_seconds',
    'Time since the step loop last turned.',
    ({ engine }) => engine.loaded.heartbeatAgeMs() / 1000,
  ],
];

/** @returns what to call for each engine that appears. */
export function registerAloftEngineMetrics(
  registry: Registry,
  engines: () => readonly EngineStats[],
): (stats: EngineStats) => void {
  for (const [name, help, value] of COUNTERS) {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames: ['model'],
      registers: [registry],
      collect() {
        counter.reset();
        for (const stats of engines()) counter.inc({ model: stats.engine.name }, value(stats));
      },
    });
  }
  for (const [name, help, value] of GAUGES) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: ['model'],
      registers: [registry],
      collect() {
        gauge.reset();
        for (const stats of engines()) gauge.set({ model: stats.engine.name }, value(stats));
      },
    });
  }
  registerWaitReasons(registry, engines);
  registerRankMemory(registry, engines);
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name, help, buckets, labelNames: ['model'] as const, registers: [registry] });
  const rows = histogram('aloft_batch_rows', 'Rows of a step.', ROWS);
  const device = histogram('aloft_step_device_seconds', 'Time the device works on a step.', STEP_SECONDS);
  const host = histogram('aloft_step_host_seconds', 'Time the host works on a step.', STEP_SECONDS);
  return (stats) => {
    const labels = { model: stats.engine.name };
    const children = { rows: rows.labels(labels), device: device.labels(labels), host: host.labels(labels) };
    stats.onStep((step) => {
      children.rows.observe(step.decodeRowCount + step.prefillRowCount);
      children.device.observe(step.deviceMs / 1000);
      children.host.observe(step.hostMs / 1000);
    });
  };
}

const STEP_SECONDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

function registerRankMemory(registry: Registry, engines: () => readonly EngineStats[]): void {
  const gauge: Gauge = new Gauge({
    name: 'aloft_rank_memory_bytes',
    help: 'Memory of an engine by rank and purpose.',
    labelNames: ['model', 'rank', 'purpose'],
    registers: [registry],
    collect() {
      gauge.reset();
      for (const { engine } of engines())
        for (const { rank, purpose, bytes } of engine.loaded.memory)
          gauge.set({ model: engine.name, rank: String(rank), purpose }, bytes);
    },
  });
}

function registerWaitReasons(registry: Registry, engines: () => readonly EngineStats[]): void {
  const counter: Counter = new Counter({
    name: 'aloft_wait_steps_total',
    help: 'Steps in which the first waiting request could not start, by what was missing.',
    labelNames: ['model', 'reason'],
    registers: [registry],
    collect() {
      counter.reset();
      for (const { engine, waitSteps } of engines()) {
        for (const [reason, count] of Object.entries(waitSteps))
          counter.inc({ model: engine.name, reason }, count);
      }
    },
  });
}
