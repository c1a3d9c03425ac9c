/** Metrics and traces of the real engine after a known load: the names are there, and the values are true. */
import { setTimeout } from 'node:timers/promises';
import {
  context,
  type Context,
  propagation,
  type Span,
  type SpanOptions,
  trace,
  type TextMapPropagator,
  type Tracer,
} from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../serve/testing/test-server.js';
import { metricOf, startDemoServer, type DemoServer } from './demo-server.js';
import { StepMeter } from './metered-executor.js';

const meter = new StepMeter();
let demo: DemoServer;
beforeAll(async () => {
  demo = await startDemoServer({ load: meter.options, serve: { maxQueuedRequests: 64 } });
});
afterAll(() => demo.close());

const REQUESTS = 6;
const OUTPUT_TOKENS = 20;
/** Two whole blocks of the cache and more, so that asking again finds the first two. */
const PROMPT = Array.from({ length: 40 }, (_, i) => 500 + i);
const body = { model: 'ensemble', prompt: PROMPT, max_tokens: OUTPUT_TOKENS, ignore_eos: true };

/** Halts the engine for a while in the middle of a request. @returns for how long, ms */
async function haltedRequest(): Promise<number> {
  const [stats] = demo.server.context.metrics.engines();
  const haltStep = stats!.stepCount + 5;
  meter.hold(5);
  const answer = demo.post('/v1/completions', body);
  await until(() => stats!.stepCount === haltStep);
  const startMs = performance.now();
  await setTimeout(20);
  const haltMs = performance.now() - startMs;
  meter.allow();
  expect((await answer).status).toBe(200);
  return haltMs;
}

/** @returns how long the engine surely had requests in hand, ms */
async function knownLoad(): Promise<number> {
  let inHandMs = 0;
  for (let i = 0; i < REQUESTS; i++) inHandMs += await haltedRequest();
  const tooLong = { ...body, prompt: Array.from({ length: 300 }, () => 7) };
  expect((await demo.post('/v1/completions', tooLong)).status).toBe(400);
  const controller = new AbortController();
  meter.hold(10);
  const cut = await demo.post(
    '/v1/completions',
    { ...body, max_tokens: 200, stream: true },
    { signal: controller.signal },
  );
  await cut.body!.getReader().read();
  controller.abort();
  // Step by step: the answer cannot be complete before the server has seen that its client is gone.
  await until(() => {
    meter.allow(1);
    return demo.engine.active.count === 0;
  });
  meter.allow();
  const [stats] = demo.server.context.metrics.engines();
  await until(() => stats!.latest.tokenCount === 0);
  return inHandMs;
}

/** Every name of the issue and of surface C.7 and D.6 that an in-flight engine has. */
const NAMES = [
  'nv_inference_request_success',
  'nv_inference_request_failure',
  'nv_inference_count',
  'nv_inference_exec_count',
  'nv_inference_request_duration_us',
  'nv_inference_queue_duration_us',
  'nv_inference_compute_input_duration_us',
  'nv_inference_compute_infer_duration_us',
  'nv_inference_compute_output_duration_us',
  'nv_inference_pending_request_count',
  'nv_model_load_duration_secs',
  'nv_inference_first_response_histogram_ms_bucket',
  'nv_llm_input_token_len_sum',
  'nv_llm_output_token_len_sum',
  'nv_trt_llm_request_metrics',
  'nv_trt_llm_runtime_memory_metrics',
  'nv_trt_llm_kv_cache_block_metrics',
  'nv_trt_llm_inflight_batcher_metrics',
  'nv_trt_llm_general_metrics',
  'aloft_time_to_first_token_seconds_bucket',
  'aloft_inter_token_seconds_bucket',
  'aloft_request_seconds_bucket',
  'aloft_queue_seconds_bucket',
  'aloft_prompt_tokens_bucket',
  'aloft_output_tokens_bucket',
  'aloft_batch_rows_bucket',
  'aloft_step_device_seconds_bucket',
  'aloft_step_host_seconds_bucket',
  'aloft_kv_blocks_total',
  'aloft_kv_blocks_free',
  'aloft_kv_blocks_cached',
  'aloft_prefix_hit_tokens_total',
  'aloft_cached_prompt_tokens_total',
  'aloft_preemptions_total',
  'aloft_finished_total',
  'aloft_wait_steps_total',
  'aloft_steps_total',
  'aloft_generated_tokens_total',
  'aloft_prefill_tokens_total',
  'aloft_running_requests',
  'aloft_waiting_requests',
  'aloft_heartbeat_age_seconds',
];

test('names and values after a known load', async () => {
  expect(metricOf(await demo.metrics(), 'aloft_kv_blocks_free')).toBe(demo.engine.loaded.kvBlockCount);
  const inHandMs = await knownLoad();
  const text = await demo.metrics();
  expect(NAMES.filter((name) => metricOf(text, name) === undefined)).toEqual([]);
  const of = (name: string, ...labels: string[]) => metricOf(text, name, ...labels);
  const ensemble = (name: string, ...labels: string[]) => of(name, 'model="ensemble"', ...labels);

  for (const model of ['ensemble', 'tensorrt_llm']) {
    expect(of('nv_inference_request_success', `model="${model}"`)).toBe(REQUESTS);
    expect(of('nv_inference_count', `model="${model}"`)).toBe(REQUESTS);
    expect(of('nv_inference_exec_count', `model="${model}"`)).toBe(REQUESTS);
    expect(of('nv_inference_request_failure', `model="${model}"`, 'CANCELED')).toBe(1);
    expect(of('nv_inference_request_failure', `model="${model}"`, 'OTHER')).toBe(1);
    expect(of('nv_inference_request_failure', `model="${model}"`, 'BACKEND')).toBe(0);
  }
  for (const stage of ['preprocessing', 'postprocessing'])
    expect(of('nv_inference_count', `model="${stage}"`)).toBe(REQUESTS);
  const parts = ['queue', 'compute_input', 'compute_infer', 'compute_output'];
  const partsUs = parts.map((part) => ensemble(`nv_inference_${part}_duration_us`)!);
  const wholeUs = ensemble('nv_inference_request_duration_us')!;
  expect(Math.abs(partsUs.reduce((sum, us) => sum + us, 0) - wholeUs)).toBeLessThan(0.02 * wholeUs + 10);
  expect(partsUs[2]).toBeGreaterThan(1000 * inHandMs);

  expect(ensemble('aloft_finished_total', 'reason="length"')).toBe(REQUESTS);
  expect(ensemble('aloft_finished_total', 'reason="prompt_too_long"')).toBe(1);
  expect(ensemble('aloft_finished_total', 'reason="cancelled"')).toBe(1);
  for (const name of [
    'aloft_prompt_tokens',
    'aloft_output_tokens',
    'aloft_request_seconds',
    'aloft_queue_seconds',
  ])
    expect(ensemble(`${name}_count`)).toBe(REQUESTS);
  expect(ensemble('aloft_prompt_tokens_sum')).toBe(REQUESTS * PROMPT.length);
  expect(ensemble('aloft_output_tokens_sum')).toBe(REQUESTS * OUTPUT_TOKENS);
  expect(of('nv_llm_output_token_len_sum')).toBe(REQUESTS * OUTPUT_TOKENS);
  expect(of('nv_llm_input_token_len_sum')).toBe(REQUESTS * PROMPT.length);
  // The one that was cut off had begun.
  expect(ensemble('aloft_time_to_first_token_seconds_count')).toBe(REQUESTS + 1);
  expect(ensemble('nv_inference_first_response_histogram_ms_count')).toBe(REQUESTS + 1);
  expect(ensemble('aloft_time_to_first_token_seconds_sum')).toBeLessThan(
    ensemble('aloft_request_seconds_sum')! + 5,
  );

  const { blockTokens, kvBlockCount, maxSequenceCount } = demo.engine.loaded;
  const hitTokens = REQUESTS * Math.floor((PROMPT.length - 1) / blockTokens) * blockTokens;
  expect(of('aloft_prefix_hit_tokens_total')).toBe(hitTokens);
  expect(of('aloft_prefill_tokens_total')).toBe((REQUESTS + 1) * PROMPT.length - hitTokens);
  const cached = ensemble('aloft_cached_prompt_tokens_total')!;
  expect(cached).toBe(hitTokens - hitTokens / REQUESTS); // the one that was cut off reported no usage
  const generated = of('aloft_generated_tokens_total')!;
  expect(generated).toBeGreaterThan(REQUESTS * OUTPUT_TOKENS);
  expect(generated).toBeLessThanOrEqual(REQUESTS * OUTPUT_TOKENS + 200);
  expect(of('aloft_steps_total')).toBe(generated);
  expect(of('aloft_batch_rows_count')).toBe(generated);
  expect(of('aloft_batch_rows_sum')).toBe(generated);
  expect(of('aloft_preemptions_total')).toBe(0);

  const blocks = (kind: string) => of('nv_trt_llm_kv_cache_block_metrics', `"${kind}"`);
  expect(blocks('max')).toBe(kvBlockCount);
  expect(blocks('used')).toBe(0);
  expect(blocks('fraction')).toBe(0);
  expect(blocks('tokens_per')).toBe(blockTokens);
  expect(blocks('reused')).toBe(hitTokens / blockTokens);
  expect(of('nv_trt_llm_request_metrics', '"max"')).toBe(maxSequenceCount);
  const memoryBytes = of('nv_trt_llm_runtime_memory_metrics', '"cpu"');
  expect(memoryBytes).toBeGreaterThan(2 ** 20);
  const statistics = await fetch(`${demo.httpUrl}/v2/models/tensorrt_llm/stats`);
  const { model_stats } = (await statistics.json()) as {
    model_stats: [{ memory_usage: object; batch_stats: object; inference_stats: { compute_infer: object } }];
  };
  const [{ memory_usage, batch_stats, inference_stats }] = model_stats;
  expect(memory_usage).toEqual([{ type: 'CPU', id: 0, byte_size: memoryBytes }]);
  expect(batch_stats).toMatchObject([{ batch_size: 1, compute_infer: inference_stats.compute_infer }]);
  expect(of('nv_trt_llm_general_metrics', '"iteration_counter"')).toBe(generated - 1);
  const seconds = Date.now() / 1000;
  expect(Math.abs(of('nv_trt_llm_general_metrics', '"timestamp"')! - seconds)).toBeLessThan(60);
});

test('a static engine has the v1 metrics instead of the in-flight ones', async () => {
  const { readFileSync, writeFileSync } = await import('node:fs');
  const path = `${demo.repository}/tensorrt_llm/config.pbtxt`;
  const original = readFileSync(path, 'utf8');
  writeFileSync(path, original.replace('inflight_fused_batching', 'V1'));
  const own = await startDemoServer({ serve: { modelRepositories: [demo.repository] } });
  try {
    const text = await own.metrics();
    expect(metricOf(text, 'nv_trt_llm_v1_metrics', '"empty_generation_slots"')).toBe(8);
    expect(metricOf(text, 'nv_trt_llm_inflight_batcher_metrics')).toBeUndefined();
  } finally {
    await own.close();
    writeFileSync(path, original);
  }
});

describe('traces', () => {
  interface Recorded {
    readonly name: string;
    readonly parent: unknown;
    readonly attributes: Record<string, unknown>;
    readonly events: string[];
    status: unknown;
    endCount: number;
  }
  const spans: Recorded[] = [];
  const PARENT = Symbol('traceparent');
  /** The part of an SDK behind the API that the server uses. */
  const tracer = {
    startSpan(name: string, options: SpanOptions, parent: Context): Span {
      const span: Recorded = {
        name,
        parent: parent.getValue(PARENT),
        attributes: { ...options.attributes },
        events: [],
        status: undefined,
        endCount: 0,
      };
      spans.push(span);
      return {
        addEvent: (event: string) => void span.events.push(event),
        setAttribute: (key: string, value: unknown) => void (span.attributes[key] = value),
        setStatus: (status: unknown) => void (span.status = status),
        end: () => void span.endCount++,
      } as unknown as Span;
    },
  } as unknown as Tracer;
  const propagator: TextMapPropagator = {
    inject() {},
    extract: (from, carrier, getter) => from.setValue(PARENT, getter.get(carrier, 'traceparent')),
    fields: () => ['traceparent'],
  };
  beforeAll(() => {
    trace.setGlobalTracerProvider({ getTracer: () => tracer });
    propagation.setGlobalPropagator(propagator);
  });
  afterAll(() => {
    trace.disable();
    propagation.disable();
    context.disable();
  });

  test('each request is one span that continues its caller', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const kserve = { text_input: 'Once upon a time', max_tokens: 5, end_id: -1 };
    await demo.post('/v2/models/ensemble/generate', kserve, { headers: { traceparent } });
    await demo.post('/v1/completions', { ...body, prompt: Array.from({ length: 300 }, () => 7) });
    await until(() => spans.every((span) => span.endCount === 1));
    expect(spans).toEqual([
      {
        name: 'generate',
        parent: traceparent,
        attributes: expect.objectContaining({
          'gen_ai.request.model': 'ensemble',
          'rpc.system': 'http',
          'gen_ai.usage.output_tokens': 5,
        }),
        events: ['first token'],
        status: undefined,
        endCount: 1,
      },
      expect.objectContaining({
        parent: undefined,
        status: expect.objectContaining({ message: expect.stringMatching(/has 300 tokens/) }),
        events: [],
      }),
    ]);
  });
});
