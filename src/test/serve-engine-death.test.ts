/** The engine's thread dies or stalls while clients of all protocols wait: who learns what, and how soon. */
import OpenAI from 'openai';
import { afterEach, describe, expect, test } from 'vitest';
import { GrpcClient, HttpClient } from '../client/index.js';
import type { Log } from '../core/log.js';
import type { LoadOptions } from '../llm/load-options.js';
import { until } from '../serve/testing/test-server.js';
import { startDemoServer, type DemoServer } from './demo-server.js';
import type { FaultOptions } from './faulty-executor.js';

let demo: DemoServer | undefined;
const logged: string[] = [];
afterEach(async () => {
  await demo?.close();
  demo = undefined;
  logged.length = 0;
});

const log: Log = {
  error: (message) => void logged.push(message),
  warning() {},
  info() {},
  verbose() {},
};

interface StartOptions {
  readonly faultRowCount?: number;
  readonly stepTimeoutMs?: number;
  readonly maxHeartbeatAgeMs?: number;
}

async function start(
  fault: FaultOptions['fault'],
  { faultRowCount = 1, stepTimeoutMs = 60_000, maxHeartbeatAgeMs = 60_000 }: StartOptions,
): Promise<DemoServer> {
  const executorUrl = new URL('./faulty-executor.js', import.meta.url).href;
  // The options of the fault travel to the executor's module with its own.
  const load: LoadOptions & FaultOptions = {
    executorUrl,
    faultStepId: 12,
    faultRowCount,
    fault,
    scheduler: { stepTimeoutMs },
  };
  demo = await startDemoServer({ load, log, serve: { maxHeartbeatAgeMs, drainMs: 200 } });
  return demo;
}

const PROMPT = 'Once upon a time';
const text = { text_input: PROMPT, max_tokens: 200, end_id: -1 };

/** Ways of asking, below. */
const WAY_COUNT = 6;

/** End of each way of asking; none may wait for ever. */
async function askEverybody(own: DemoServer) {
  const { httpUrl, grpcAddress } = own;
  const openai = new OpenAI({ baseURL: `${httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
  const http = new HttpClient({ url: httpUrl });
  const grpc = new GrpcClient({ address: grpcAddress });
  const request = { prompt: PROMPT, maxTokens: 200, endId: -1 };
  const failureOf = async (work: Promise<unknown>) =>
    work.then(
      () => 'an answer',
      (error: unknown) => (error as { code?: unknown }).code,
    );
  const drain = async (pieces: AsyncIterable<unknown>) => {
    for await (const _ of pieces);
  };
  const stream = { ...request, stream: true };
  const body = { model: 'ensemble', prompt: PROMPT, max_tokens: 200 };
  try {
    const [whole, ...others] = await Promise.all([
      own.post('/v2/models/ensemble/generate', text),
      failureOf(drain(http.generate(request))),
      failureOf(drain(http.generate(stream))),
      failureOf(drain(grpc.generate(request))),
      failureOf(drain(grpc.generate(stream))),
      failureOf(openai.completions.create({ ...body, ignore_eos: true } as typeof body)),
    ]);
    return { status: whole.status, body: await whole.json(), codes: others };
  } finally {
    grpc.close();
  }
}

const isReady = async ({ httpUrl }: DemoServer) => (await fetch(`${httpUrl}/v2/health/ready`)).status === 200;

describe.each<[FaultOptions['fault'], string]>([
  ['throw', 'INTERNAL'],
  ['uncaught', 'INTERNAL'],
  ['exit', 'INTERNAL'],
  ['stall', 'DEVICE_FAILED'],
])('an engine thread with the fault %s', (fault, code) => {
  test('fails open requests with a code, turns health unready and new requests away', async () => {
    // Not before all have asked: who comes later is turned away with another code.
    const stepTimeoutMs = fault === 'stall' ? 5000 : 60_000;
    const own = await start(fault, { faultRowCount: WAY_COUNT, stepTimeoutMs });
    expect(await isReady(own)).toBe(true);
    const { status, body, codes } = await askEverybody(own);
    expect(status).toBe(500);
    expect(body).toEqual({ error: expect.any(String) });
    // A whole answer over HTTP has only a status.
    expect(codes).toEqual(['INTERNAL', code, code, code, code.toLowerCase()]);

    const ready = await fetch(`${own.httpUrl}/v2/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { error: expect.stringMatching(/step loop of 'tensorrt_llm' has stopped for good .*restart/) },
    ]);
    expect((await fetch(`${own.httpUrl}/v2/health/live`)).status).toBe(503);
    const late = await own.post('/v2/models/ensemble/generate', text);
    expect([late.status, await late.json()]).toEqual([503, { error: expect.stringContaining('stopped') }]);
    expect(logged.filter((line) => line.includes(`The engine of 'tensorrt_llm'`))).toEqual([
      expect.stringContaining(`has stopped (${code})`),
    ]);
    expect(own.engine.active.count).toBe(0);
  });
});

test('a stall shows in health before the watchdog ends it', async () => {
  const own = await start('stall', { stepTimeoutMs: 30_000, maxHeartbeatAgeMs: 500 });
  const controller = new AbortController();
  const answer = own.post('/v2/models/ensemble/generate', text, { signal: controller.signal });
  answer.catch(() => undefined);
  await until(() => own.engine.loaded.heartbeatAgeMs() > 500);
  const ready = async () => {
    const response = await fetch(`${own.httpUrl}/v2/health/ready`);
    return [response.status, await response.text()];
  };
  // Looked at until it holds: on a busy machine the engine may also be late, and then go on.
  await expect.poll(ready).toEqual([503, expect.stringMatching(/has not turned for \d+ ms/)]);
  expect((await fetch(`${own.httpUrl}/v2/health/live`)).status).toBe(200);
  controller.abort();
  await expect(answer).rejects.toThrow(/abort/);
});

test('a model that died can be loaded again where models are loaded on demand', async () => {
  const executorUrl = new URL('./faulty-executor.js', import.meta.url).href;
  const load: LoadOptions & FaultOptions = { executorUrl, faultStepId: 12, fault: 'exit' };
  demo = await startDemoServer({ load, serve: { controlMode: 'explicit', loadModels: ['*'] } });
  expect((await demo.post('/v2/models/ensemble/generate', text)).status).toBe(500);
  expect(await isReady(demo)).toBe(false);
  expect((await demo.post('/v2/repository/models/ensemble/load', {})).status).toBe(200);
  expect(await isReady(demo)).toBe(true);
  expect((await demo.post('/v2/models/ensemble/generate', { ...text, max_tokens: 5 })).status).toBe(200);
});
