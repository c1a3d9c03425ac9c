import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { AloftError } from '../core/errors.js';
import { IndependentClient, collect, ensembleRequest } from './testing/independent-grpc.js';
import { ENDLESS_PROMPT, ScriptedLoader } from './testing/scripted-model.js';
import { startTestServer, until, type TestOptions, type TestServer } from './testing/test-server.js';
import { DEFAULT_SERVE_OPTIONS } from './context/options.js';

let server: TestServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(options: TestOptions): Promise<TestServer> {
  server = await startTestServer(options);
  return server;
}

const activeCount = ({ server: { context } }: TestServer) =>
  context.repository.engines().reduce((sum, engine) => sum + engine.active.count, 0);

const ENDLESS = { text_input: ENDLESS_PROMPT, max_tokens: 3000, stream: true };

/** A hand-made HTTP request on a socket of our own. */
function openStream(
  { httpUrl }: TestServer,
  path = '/v2/models/ensemble/generate_stream',
  body: object = ENDLESS,
): Socket {
  const { hostname, port } = new URL(httpUrl);
  const text = JSON.stringify(body);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  return socket;
}

const post = (own: TestServer, path: string, body: object, init: RequestInit = {}) =>
  fetch(own.httpUrl + path, { ...init, method: 'POST', body: JSON.stringify(body) });

describe('clients that go away', () => {
  test.each<[string, (socket: Socket) => unknown]>([
    ['close', (socket) => socket.destroy()],
    ['half-close', (socket) => socket.end()],
    ['reset', (socket) => socket.resetAndDestroy()],
  ])('an SSE client that does %s frees its request', async (_, leave) => {
    const own = await start({ script: { tokenMs: 1 } });
    const socket = openStream(own);
    socket.resume();
    await until(() => own.model.runningCount === 1);
    leave(socket);
    await until(() => own.model.runningCount === 0 && activeCount(own) === 0);
    socket.destroy();
  });

  test('all prompts of one request are freed', async () => {
    const own = await start({ script: { tokenMs: 1, slotCount: 2 } });
    const prompt = Array.from({ length: 6 }, () => ENDLESS_PROMPT);
    const socket = openStream(own, '/v1/completions', {
      model: 'ensemble',
      prompt,
      max_tokens: 3000,
      stream: true,
    });
    socket.resume();
    // One prompt more than there are slots: the others come when these end, so that later requests get their turn.
    await until(() => own.model.runningCount === 2 && own.model.waitingCount === 1);
    socket.destroy();
    await until(() => activeCount(own) === 0 && own.model.runningCount === 0 && own.model.waitingCount === 0);
    expect(own.model.requests).toHaveLength(3);
  });

  test('a waiting request is freed, too', async () => {
    const own = await start({ script: { tokenMs: 1, slotCount: 1 } });
    const first = openStream(own);
    first.resume();
    await until(() => own.model.runningCount === 1);
    const controller = new AbortController();
    const second = post(
      own,
      '/v2/models/ensemble/generate',
      { ...ENDLESS, stream: false },
      { signal: controller.signal },
    );
    await until(() => own.model.waitingCount === 1);
    controller.abort();
    await expect(second).rejects.toThrow();
    await until(() => own.model.waitingCount === 0 && activeCount(own) === 1);
    first.destroy();
    await until(() => activeCount(own) === 0);
  });

  test('a thousand clients that vanish at random points leave nothing behind', async () => {
    const own = await start({ script: { tokenMs: 1, slotCount: 64, maxWaitingCount: 2000 } });
    const client = new IndependentClient(own.grpcAddress);
    const paths = ['/v2/models/ensemble/generate_stream', '/v2/models/ensemble/generate', '/v1/completions'];
    let seed = 7;
    const random = (limit: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % limit;
    const vanish = async (index: number) => {
      const lifetimeMs = random(120);
      const wait = () => new Promise((resolve) => setTimeout(resolve, lifetimeMs));
      if (index % 4 === 0) {
        const stream = client.stream();
        stream.on('error', () => undefined);
        stream.on('data', () => undefined);
        stream.write(ensembleRequest('y'.repeat(500), 500, true));
        await wait();
        stream.cancel();
      } else {
        const socket = openStream(own, paths[index % 3], {
          ...ENDLESS,
          model: 'ensemble',
          prompt: 'z',
          stream: index % 3 !== 1,
        });
        socket.resume();
        await wait();
        if (random(2) === 0) socket.end();
        else socket.destroy();
        setTimeout(() => socket.destroy(), 50);
      }
    };
    for (let i = 0; i < 1000; i += 100)
      await Promise.all(Array.from({ length: 100 }, (_, j) => vanish(i + j)));
    await until(() => activeCount(own) === 0 && own.model.runningCount === 0 && own.model.waitingCount === 0);
    client.close();
    const after = await post(own, '/v2/models/ensemble/generate', { text_input: 'a', max_tokens: 4 });
    expect(after.status).toBe(200);
  });
});

/** More than the system's buffers hold: log probabilities take 100 bytes for each token, however many share a message. */
const TOKEN_COUNT = 200_000;
const LARGE = { model: 'ensemble', prompt: 'x', logprobs: 5, max_tokens: TOKEN_COUNT, stream: true };
const answer = () => 'w'.repeat(TOKEN_COUNT);

describe('slow readers', () => {
  test('one that reads nothing is bounded and does not slow others', async () => {
    const own = await start({
      script: { answer },
      options: { maxBufferedEventCount: 500, writeTimeoutMs: 60_000 },
    });
    const socket = openStream(own, '/v1/completions', LARGE);
    socket.pause();
    await until(() => own.model.runningCount === 1);
    const other = await post(own, '/v2/models/ensemble/generate', { text_input: 'a', max_tokens: 5 });
    expect(other.status).toBe(200);
    await until(() => own.model.runningCount === 0 && activeCount(own) === 0);
    socket.destroy();
    const metrics = async () => await (await fetch(own.metricsUrl)).text();
    await expect.poll(metrics).toMatch(/aloft_finished_total\{model="ensemble",reason="slow_reader"\} 1/);
  });

  test('one that stalls for too long is disconnected', async () => {
    const own = await start({
      script: { answer },
      options: { maxBufferedEventCount: 1_000_000, writeTimeoutMs: 200 },
    });
    const socket = openStream(own, '/v1/completions', LARGE);
    socket.pause();
    await until(() => own.model.runningCount === 1);
    const received = new Promise<number>((resolve) => {
      let bytes = 0;
      socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
      for (const event of ['end', 'close']) socket.on(event, () => resolve(bytes));
      socket.pause();
    });
    await until(() => own.model.runningCount === 0 && activeCount(own) === 0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.resume();
    expect(await received).toBeLessThan(TOKEN_COUNT * 90);
  });
});

describe('load', () => {
  test('a full queue answers 429 with Retry-After, RESOURCE_EXHAUSTED, and 429 as OpenAI has it', async () => {
    const own = await start({ script: { tokenMs: 2, slotCount: 1 }, options: { maxQueuedRequests: 1 } });
    const sockets = [openStream(own), openStream(own)];
    await until(() => activeCount(own) === 2);
    const refused = await post(own, '/v2/models/ensemble/generate', { text_input: 'a', max_tokens: 1 });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toEqual({ error: expect.stringMatching(/^Exceeds maximum queue size/) });
    const openai = await post(own, '/v1/completions', { model: 'ensemble', prompt: 'a' });
    expect([openai.status, await openai.json()]).toEqual([
      429,
      { error: expect.objectContaining({ type: 'rate_limit_error' }) },
    ]);
    const client = new IndependentClient(own.grpcAddress);
    await expect(client.call('ModelInfer', ensembleRequest('a', 1, false))).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
    client.close();
    for (const socket of sockets) socket.destroy();
    await until(() => activeCount(own) === 0);
  });

  test("the engine's own refusal is passed on", async () => {
    const own = await start({ script: { tokenMs: 2, slotCount: 1, maxWaitingCount: 0 } });
    const socket = openStream(own);
    await until(() => own.model.runningCount === 1);
    const refused = await post(own, '/v2/models/ensemble/generate_stream', {
      text_input: 'a',
      max_tokens: 1,
      stream: true,
    });
    expect(refused.status).toBe(429);
    socket.destroy();
  });

  test('a priority may have a queue policy of its own', async () => {
    const policy =
      'priority_queue_policy { key: 3 value { max_queue_size: 1 default_timeout_microseconds: 7000000 } }';
    const own = await start({
      script: { tokenMs: 2, slotCount: 1 },
      prepare: (repository) => {
        const path = join(repository, 'tensorrt_llm', 'config.pbtxt');
        const text = readFileSync(path, 'utf8');
        writeFileSync(path, text.replace('default_queue_policy', `${policy}\n  default_queue_policy`));
      },
    });
    const sockets = [openStream(own)];
    const stream = (priority: number) => sockets.push(openStream(own, undefined, { ...ENDLESS, priority }));
    await until(() => own.model.runningCount === 1);
    stream(3);
    await until(() => activeCount(own) === 2);
    expect(own.model.requests.at(-1)).toMatchObject({ queueTimeoutMs: 7000, priority: -1 });
    const low = await post(own, '/v2/models/ensemble/generate', {
      text_input: 'a',
      max_tokens: 1,
      priority: 3,
    });
    expect([low.status, await low.json()]).toEqual([
      429,
      { error: expect.stringMatching(/^Exceeds maximum queue size of priority 3: 1 requests/) },
    ]);
    stream(1);
    await until(() => activeCount(own) === 3);
    expect(own.model.requests.at(-1)?.queueTimeoutMs).toBeUndefined();
    for (const socket of sockets) socket.destroy();
    await until(() => activeCount(own) === 0);
  });

  test('queue timeout, deadline and priority reach the engine', async () => {
    const own = await start({});
    await post(own, '/v2/models/ensemble/generate', {
      text_input: 'a',
      max_tokens: 1,
      timeout: 2_000_000,
      priority: 3,
    });
    expect(own.model.requests.at(-1)).toMatchObject({ queueTimeoutMs: 2000, priority: -1 });
    const priorityOf = async (priority: number | undefined) => {
      await post(own, '/v2/models/ensemble/generate', { text_input: 'a', max_tokens: 1, priority });
      return own.model.requests.at(-1)?.priority ?? 0;
    };
    // 1 is the most urgent of three levels, 2 what requests without one have.
    expect(await priorityOf(1)).toBe(1);
    expect(await priorityOf(undefined)).toBe(0);
    expect(await priorityOf(0)).toBe(0);
    expect(await priorityOf(9)).toBe(0);
  });
});

describe('health', () => {
  test('ports are open while models load, and say so', async () => {
    let open = () => {};
    const loader = new ScriptedLoader();
    loader.gate = new Promise((resolve) => (open = resolve));
    const own = await start({ loader, whileLoading: true });
    const ready = await fetch(`${own.httpUrl}/v2/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, { error: 'STARTING: models are being loaded' }]);
    expect((await fetch(`${own.httpUrl}/v2/health/live`)).status).toBe(200);
    const early = await post(own, '/v2/models/tensorrt_llm/generate', {});
    expect(early.status).toBe(503);
    const client = new IndependentClient(own.grpcAddress);
    expect((await client.call('Check', { service: '' }))['status']).toBe(2);
    open();
    await own.server.modelsLoaded;
    expect((await fetch(`${own.httpUrl}/v2/health/ready`)).status).toBe(200);
    expect((await client.call('Check', { service: '' }))['status']).toBe(1);
    client.close();
  });

  test('a dead step loop turns health unready and new requests away', async () => {
    const own = await start({});
    own.model.isDead = true;
    const ready = await fetch(`${own.httpUrl}/v2/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { error: expect.stringMatching(/step loop of 'tensorrt_llm'/) },
    ]);
    expect((await fetch(`${own.httpUrl}/v2/models/ensemble/ready`)).status).toBe(400);
    expect((await post(own, '/v2/models/ensemble/generate', { text_input: 'a', max_tokens: 1 })).status).toBe(
      503,
    );
  });

  test('an engine that cannot be loaded is named with its reason', async () => {
    const loader = new ScriptedLoader();
    loader.failing.set(
      'tensorrt_llm',
      new AloftError('ENGINE_VERSION', 'The engine has format 1, this is format 2; rebuild it.'),
    );
    const own = await start({ loader });
    const ready = await fetch(`${own.httpUrl}/v2/health/ready`);
    expect(ready.status).toBe(503);
    const index = (await (await post(own, '/v2/repository/index', {})).json()) as {
      name: string;
      reason: string;
    }[];
    expect(index.find((row) => row.name === 'tensorrt_llm')?.reason).toMatch(/format 1/);
    expect(index.find((row) => row.name === 'ensemble')?.reason).toMatch(
      /depends on 'tensorrt_llm' which has no loaded version.*format 1/,
    );
  });

  test('shutdown lets running requests finish and refuses new ones', async () => {
    const own = await start({ options: { drainMs: 60_000 } });
    own.model.hold();
    const running = post(own, '/v2/models/ensemble/generate', { text_input: 'abc', max_tokens: 100 });
    await until(() => own.model.runningCount === 1);
    const closing = own.server.close();
    const refused = await post(own, '/v2/models/ensemble/generate', { text_input: 'a', max_tokens: 1 });
    expect([refused.status, await refused.json()]).toEqual([503, { error: 'Server exiting' }]);
    own.model.allow();
    expect(await (await running).json()).toMatchObject({ text_output: 'abc echo of abc' });
    await closing;
    expect(own.model.isDisposed).toBe(true);
  });

  test('a shutdown that takes too long stops requests', async () => {
    const own = await start({ script: { tokenMs: 3 }, options: { drainMs: 100 } });
    const client = new IndependentClient(own.grpcAddress);
    const stream = client.stream();
    stream.write(ensembleRequest(ENDLESS_PROMPT, 3000, true));
    const messages = collect(stream).catch(() => []);
    await until(() => own.model.runningCount === 1);
    const startMs = performance.now();
    await own.server.close();
    expect(own.model.runningCount).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(DEFAULT_SERVE_OPTIONS.drainMs);
    await messages; // ends, although the answer has no end
    client.close();
  });

  test('one port cannot serve two', async () => {
    const same = { host: '127.0.0.1', port: 18_000 };
    await expect(startTestServer({ options: { http: same, metrics: same } })).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: 'HTTP and metrics are both given port 18000; choose another with --metrics-port.',
    });
  });

  test('without strict readiness the server is ready when a model is not', async () => {
    const loader = new ScriptedLoader();
    loader.failing.set('tensorrt_llm', new AloftError('ENGINE_VERSION', 'Rebuild it.'));
    const own = await start({ loader, options: { strictReadiness: false } });
    expect((await fetch(`${own.httpUrl}/v2/health/ready`)).status).toBe(200);
    expect((await fetch(`${own.httpUrl}/v2/models/ensemble/ready`)).status).toBe(400);
  });

  test('a port that is taken is named with its holder', async () => {
    const own = await start({});
    const port = own.server.ports.http;
    await expect(startTestServer({ options: { http: { host: '127.0.0.1', port } } })).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringMatching(
        new RegExp(`Port ${port} for HTTP is taken by process .*pid ${process.pid}.*--http-port`),
      ),
    });
  });
});
