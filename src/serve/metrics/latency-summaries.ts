/** Triton's summaries of request latencies: quantiles over the last minutes. */
import { Summary, type Registry } from 'prom-client';
import type { RequestDurations } from './model-statistics.js';

/** The time that a summary looks back, in five steps. */
const WINDOW_SECONDS = 300;

const NAMES: readonly (readonly [keyof RequestDurations, string, string])[] = [
  ['requestMs', 'nv_inference_request_summary_us', 'Summary of inference request duration in microseconds'],
  ['queueMs', 'nv_inference_queue_summary_us', 'Summary of inference queuing duration in microseconds'],
  ['inputMs', 'nv_inference_compute_input_summary_us', 'Summary of compute input duration in microseconds'],
  [
    'inferMs',
    'nv_inference_compute_infer_summary_us',
    'Summary of compute inference duration in microseconds',
  ],
  [
    'outputMs',
    'nv_inference_compute_output_summary_us',
    'Summary of compute output duration in microseconds',
  ],
];

export type ObserveDurations = (model: string, version: string, durations: RequestDurations) => void;

export function latencySummaries(registry: Registry, quantiles: readonly number[]): ObserveDurations {
  const summaries = NAMES.map(([key, name, help]) => {
    const summary = new Summary({
      name,
      help,
      percentiles: [...quantiles],
      maxAgeSeconds: WINDOW_SECONDS,
      ageBuckets: 5,
      labelNames: ['model', 'version'] as const,
      registers: [registry],
    });
    return { key, summary };
  });
  return (model, version, durations) => {
    for (const { key, summary } of summaries)
      summary.observe({ model, version }, Math.max(0, Math.round(durations[key] * 1000)));
  };
}
