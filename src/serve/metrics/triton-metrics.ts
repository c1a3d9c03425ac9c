/** Triton's own names: nv_inference_* of models and nv_trt_llm_* of engines, filled when they are asked for. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { LoadTime } from '../repository/model-entry.js';
import type { ServedModel } from '../repository/served-model.js';
import type { DurationSum } from './duration-sum.js';
import type { EngineStats } from './engine-stats.js';
import type { FailureReason } from './failure-reason.js';
import type { MetricsOptions } from './metrics-options.js';
import type { ModelStatistics, StatisticsBook } from './model-statistics.js';

export interface MetricSources {
  models(): readonly ServedModel[];
  engines(): readonly EngineStats[];
  loadTimes(): readonly LoadTime[];
  readonly statistics: StatisticsBook;
}

/** Counters of models: name, help, value. */
const MODEL_COUNTERS: readonly (readonly [string, string, (statistics: ModelStatistics) => number])[] = [
  [
    'nv_inference_request_success',
    'Number of successful inference requests, all batch sizes',
    (s) => s.success.count,
  ],
  [
    'nv_inference_count',
    'Number of inferences performed (does not include cached requests)',
    (s) => s.inferenceCount,
  ],
  ['nv_inference_exec_count', 'Number of model executions performed', (s) => s.success.count],
  [
    'nv_inference_request_duration_us',
    'Cumulative inference request duration in microseconds',
    (s) => us(s.success),
  ],
  [
    'nv_inference_queue_duration_us',
    'Cumulative inference queuing duration in microseconds',
    (s) => us(s.queue),
  ],
  [
    'nv_inference_compute_input_duration_us',
    'Cumulative compute input duration in microseconds',
    (s) => us(s.computeInput),
  ],
  [
    'nv_inference_compute_infer_duration_us',
    'Cumulative compute inference duration in microseconds',
    (s) => us(s.computeInfer),
  ],
  [
    'nv_inference_compute_output_duration_us',
    'Cumulative inference compute output duration in microseconds',
    (s) => us(s.computeOutput),
  ],
];

const FAILURE_REASONS: readonly FailureReason[] = ['REJECTED', 'CANCELED', 'BACKEND', 'OTHER'];

function us(sum: DurationSum): number {
  return Math.round(sum.ns / 1000);
}

export function registerModelMetrics(
  registry: Registry,
  sources: MetricSources,
  { counterLatencies }: Pick<MetricsOptions, 'counterLatencies'>,
): void {
  const each = (write: (labels: { model: string; version: string }, statistics: ModelStatistics) => void) => {
    for (const { name, version } of sources.models()) {
      write({ model: name, version }, sources.statistics.of(name, version));
    }
  };
  for (const [name, help, value] of MODEL_COUNTERS) {
    if (!counterLatencies && name.endsWith('_duration_us')) continue;
    const counter: Counter<'model' | 'version'> = new Counter({
      name,
      help,
      labelNames: ['model', 'version'],
      registers: [registry],
      collect() {
        counter.reset();
        each((labels, statistics) => counter.inc(labels, value(statistics)));
      },
    });
  }
  const failures: Counter<'model' | 'version' | 'reason'> = new Counter({
    name: 'nv_inference_request_failure',
    help: 'Number of failed inference requests, all batch sizes',
    labelNames: ['model', 'version', 'reason'],
    registers: [registry],
    collect() {
      failures.reset();
      each((labels, { failures: counts }) => {
        for (const reason of FAILURE_REASONS) failures.inc({ ...labels, reason }, counts[reason]);
      });
    },
  });
  const pending: Gauge<'model' | 'version'> = new Gauge({
    name: 'nv_inference_pending_request_count',
    help: 'Instantaneous number of pending requests awaiting execution per-model',
    labelNames: ['model', 'version'],
    registers: [registry],
    collect() {
      pending.reset();
      each((labels, { pendingCount }) => pending.set(labels, pendingCount));
    },
  });
  // An ensemble or a tokenizer model loads quickly: its parts are loaded before it.
  const loading: Gauge<'model' | 'version'> = new Gauge({
    name: 'nv_model_load_duration_secs',
    help: 'Model load time in seconds',
    labelNames: ['model', 'version'],
    registers: [registry],
    collect() {
      loading.reset();
      for (const { name: model, version, loadMs } of sources.loadTimes())
        loading.set({ model, version }, loadMs / 1000);
    },
  });
}

type EngineValues = (stats: EngineStats) => Readonly<Record<string, number>>;

/** Gauges of engines: name, label, values by label value. */
const ENGINE_GAUGES: readonly (readonly [string, string, EngineValues])[] = [
  [
    'nv_trt_llm_request_metrics',
    'request_type',
    ({ engine, latest }) => ({
      waiting: latest.waitingCount,
      context: latest.prefillRowCount,
      scheduled: latest.prefillRowCount + latest.decodeRowCount,
      max: engine.loaded.maxSequenceCount,
      active: engine.active.count,
    }),
  ],
  ['nv_trt_llm_runtime_memory_metrics', 'memory_type', memoryValues],
  [
    'nv_trt_llm_kv_cache_block_metrics',
    'kv_cache_block_type',
    ({ engine, latest, prefixHitTokenCount }) => {
      const max = latest.totalBlockCount;
      const free = latest.freeBlockCount;
      const used = max - free - latest.cachedBlockCount;
      return {
        max,
        free,
        used,
        tokens_per: engine.loaded.blockTokens,
        reused: prefixHitTokenCount / engine.loaded.blockTokens,
        fraction: max === 0 ? 0 : used / max,
      };
    },
  ],
  [
    'nv_trt_llm_inflight_batcher_metrics',
    'inflight_batcher_specific_metric',
    ({ engine, latest }) =>
      engine.loaded.batchingType === 'V1'
        ? {}
        : {
            total_context_tokens: latest.tokenCount - latest.decodeRowCount,
            generation_requests: latest.decodeRowCount,
            // Steps are not split.
            micro_batch_id: 0,
            paused_requests: latest.preemptionCount,
          },
  ],
  [
    'nv_trt_llm_v1_metrics',
    'v1_specific_metric',
    ({ engine, latest }) =>
      engine.loaded.batchingType === 'V1'
        ? {
            total_context_tokens: latest.tokenCount - latest.decodeRowCount,
            total_generation_tokens: latest.decodeRowCount,
            empty_generation_slots: engine.loaded.maxSequenceCount - latest.decodeRowCount,
          }
        : {},
  ],
  [
    'nv_trt_llm_general_metrics',
    'general_type',
    ({ latest }) => ({ timestamp: Math.floor(Date.now() / 1000), iteration_counter: latest.stepId }),
  ],
];

export function registerEngineMetrics(registry: Registry, sources: MetricSources): void {
  for (const [name, label, values] of ENGINE_GAUGES) {
    const gauge: Gauge = new Gauge({
      name,
      help: `TensorRT-LLM backend's ${name.slice('nv_trt_llm_'.length).replaceAll('_', ' ')} by ${label}`,
      labelNames: ['model', 'version', label],
      registers: [registry],
      collect() {
        gauge.reset();
        for (const stats of sources.engines()) {
          const { name: model, version } = stats.engine;
          for (const [key, value] of Object.entries(values(stats)))
            gauge.set({ model, version, [label]: key }, value);
        }
      },
    });
  }
}

function memoryValues({ engine }: EngineStats): Record<string, number> {
  const sums = { cpu: 0, gpu: 0, pinned: 0 };
  for (const { kind, bytes } of engine.loaded.memory) sums[kind] += bytes;
  return sums;
}
