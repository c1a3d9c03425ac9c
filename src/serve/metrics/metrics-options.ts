/** Which of Triton's optional metrics are kept: its --metrics-config. */
import { AloftError } from '../../core/errors.js';

export interface MetricsOptions {
  /** The counters nv_inference_*_duration_us. */
  readonly counterLatencies: boolean;
  /** nv_inference_first_response_histogram_ms */
  readonly histogramLatencies: boolean;
  /** nv_inference_*_summary_us */
  readonly summaryLatencies: boolean;
  readonly summaryQuantiles: readonly number[];
}

export const DEFAULT_METRICS: MetricsOptions = {
  counterLatencies: true,
  histogramLatencies: true,
  summaryLatencies: false,
  summaryQuantiles: [0.5, 0.9, 0.95, 0.99, 0.999],
};

/**
 * @param settings `summary_latencies=true`, `summary_quantiles=0.5:0.05,0.99:0.001` and so on
 * @throws {AloftError} USAGE
 */
export function readMetricsOptions(settings: readonly string[]): MetricsOptions {
  let options = DEFAULT_METRICS;
  for (const setting of settings) {
    const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(setting) ?? [];
    if (key === 'counter_latencies') options = { ...options, counterLatencies: flag(setting, value) };
    else if (key === 'histogram_latencies')
      options = { ...options, histogramLatencies: flag(setting, value) };
    else if (key === 'summary_latencies') options = { ...options, summaryLatencies: flag(setting, value) };
    else if (key === 'summary_quantiles')
      options = { ...options, summaryQuantiles: quantiles(setting, value) };
    else {
      const known = 'counter_latencies, histogram_latencies, summary_latencies and summary_quantiles';
      throw new AloftError('USAGE', `--metrics-config '${setting}' is unknown; it takes ${known}.`);
    }
  }
  return options;
}

function flag(setting: string, value: string): boolean {
  if (/^(true|on|1)$/i.test(value)) return true;
  if (/^(false|off|0)$/i.test(value)) return false;
  throw new AloftError('USAGE', `--metrics-config '${setting}' must be true or false.`);
}

/** `quantile:error` pairs; the error is not needed, and may be left out. */
function quantiles(setting: string, value: string): number[] {
  const list = value.split(',').map((pair) => Number(pair.split(':')[0] || NaN));
  if (list.every((quantile) => quantile > 0 && quantile < 1)) return list;
  throw new AloftError(
    'USAGE',
    `--metrics-config '${setting}' must have quantiles between 0 and 1, such as 0.5:0.05,0.99:0.001.`,
  );
}
