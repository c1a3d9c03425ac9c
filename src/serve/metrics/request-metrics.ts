/** Plain `aloft_*` metrics of requests: what a client feels. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { MetricsOptions } from './metrics-options.js';
import type { RequestInfo, RequestObserver } from '../generation/observer.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const GAPS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 5];
const TOKENS = [1, 10, 50, 100, 250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000];
/** Upstream's buckets. */
const UPSTREAM_FIRST_RESPONSE_MS = [100, 500, 2000, 5000];
const UPSTREAM_TOKENS = [10, 50, 100, 500, 1000];

export class RequestMetrics {
  readonly #timeToFirstToken: Histogram<'model'>;
  readonly #interToken: Histogram<'model'>;
  readonly #endToEnd: Histogram<'model'>;
  readonly #queueTime: Histogram<'model'>;
  readonly #promptTokens: Histogram<'model'>;
  readonly #outputTokens: Histogram<'model'>;
  readonly #cachedTokens: Counter<'model'>;
  readonly #finishReasons: Counter<'model' | 'reason'>;
  readonly #firstResponse: Histogram<'model' | 'version'>;
  readonly #inputLength: Histogram<'model' | 'version' | 'response_metric_type'>;
  readonly #outputLength: Histogram<'model' | 'version' | 'response_metric_type'>;

  constructor(registry: Registry, { histogramLatencies }: Pick<MetricsOptions, 'histogramLatencies'>) {
    const histogram = (name: string, help: string, buckets: number[]) =>
      new Histogram({ name, help, buckets, labelNames: ['model'] as const, registers: [registry] });
    this.#timeToFirstToken = histogram(
      'aloft_time_to_first_token_seconds',
      'From the arrival of a request to its first token.',
      SECONDS,
    );
    this.#interToken = histogram(
      'aloft_inter_token_seconds',
      'Between tokens of one sequence as they leave the server.',
      GAPS,
    );
    this.#endToEnd = histogram('aloft_request_seconds', 'From the arrival of a request to its end.', SECONDS);
    this.#queueTime = histogram(
      'aloft_queue_seconds',
      'From submission to the first step that runs a request.',
      SECONDS,
    );
    this.#promptTokens = histogram('aloft_prompt_tokens', 'Prompt tokens of a request.', TOKENS);
    this.#outputTokens = histogram('aloft_output_tokens', 'Generated tokens of a request.', TOKENS);
    this.#cachedTokens = new Counter({
      name: 'aloft_cached_prompt_tokens_total',
      help: 'Prompt tokens whose keys and values came from the prefix cache.',
      labelNames: ['model'],
      registers: [registry],
    });
    this.#finishReasons = new Counter({
      name: 'aloft_finished_total',
      help: 'Ended sequences by reason; failed requests by error code.',
      labelNames: ['model', 'reason'],
      registers: [registry],
    });
    this.#firstResponse = new Histogram({
      name: 'nv_inference_first_response_histogram_ms',
      help: 'Duration from request to first response in milliseconds',
      buckets: UPSTREAM_FIRST_RESPONSE_MS,
      labelNames: ['model', 'version'] as const,
      registers: histogramLatencies ? [registry] : [],
    });
    const lengthMetric = (name: string, help: string) =>
      new Histogram({
        name,
        help,
        buckets: UPSTREAM_TOKENS,
        labelNames: ['model', 'version', 'response_metric_type'] as const,
        registers: [registry],
      });
    this.#inputLength = lengthMetric('nv_llm_input_token_len', 'Input tokens of a response.');
    this.#outputLength = lengthMetric('nv_llm_output_token_len', 'Output tokens of a response.');
  }

  #observeFirst({ modelName: model, modelVersion: version }: RequestInfo, ms: number): void {
    this.#timeToFirstToken.observe({ model }, ms / 1000);
    this.#firstResponse.observe({ model, version }, ms);
  }

  observe(info: RequestInfo): RequestObserver {
    const model = info.modelName;
    // Bound children: one look-up of labels for a request instead of one for each token.
    const labels = { model };
    const interToken = this.#interToken.labels(labels);
    const lastTokenMs = new Map<number, number>(); // by sequence: those of one request leave together
    let hasEnded = false;
    return {
      onEvents: (events, nowMs) => {
        for (const event of events) {
          switch (event.type) {
            case 'text': {
              if (event.tokenIds.length === 0) break; // the prompt's echo, or text that was held back
              if (lastTokenMs.size === 0) this.#observeFirst(info, nowMs - info.arrivedMs);
              const lastMs = lastTokenMs.get(event.sequence);
              if (lastMs !== undefined) interToken.observe((nowMs - lastMs) / 1000);
              lastTokenMs.set(event.sequence, nowMs);
              break;
            }
            case 'sequence':
              hasEnded = true;
              this.#finishReasons.inc({ model, reason: event.finishReason });
              break;
            case 'finished': {
              const { usage, timings } = event;
              const version = info.modelVersion;
              this.#promptTokens.observe(labels, usage.promptTokens);
              this.#outputTokens.observe(labels, usage.outputTokens);
              this.#inputLength.observe(
                { model, version, response_metric_type: 'total_input_tokens' },
                usage.promptTokens,
              );
              this.#outputLength.observe(
                { model, version, response_metric_type: 'total_output_tokens' },
                usage.outputTokens,
              );
              if (usage.cachedPromptTokens > 0) this.#cachedTokens.inc(labels, usage.cachedPromptTokens);
              if (timings.scheduledMs !== undefined) {
                this.#queueTime.observe(labels, (timings.scheduledMs - timings.submittedMs) / 1000);
              }
              break;
            }
            default:
          }
        }
      },
      onEnd: (error, nowMs) => {
        if (error === undefined) this.#endToEnd.observe(labels, (nowMs - info.arrivedMs) / 1000);
        else if (!hasEnded) this.#finishReasons.inc({ model, reason: error.code.toLowerCase() });
      },
    };
  }
}
