/** The demo model on one, two and four ranks of this host: the same text, a server over two, and what is refused. */
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { GrpcClient, HttpClient } from '../client/index.js';
import type { GenerateRequest } from '../core/generate.js';
import { SILENT_LOG } from '../core/log.js';
import { LLM } from '../llm/llm.js';
import { openExecutor } from '../run/ranks/open-engine.js';
import { until } from '../serve/testing/test-server.js';
import { buildTemporaryEngine, DEMO_MODEL, type TemporaryEngine } from './build-and-open.js';
import { metricOf, startDemoServer, type DemoServer } from './demo-server.js';
import { childPids } from './processes.js';

const BUILD = { model_dir: DEMO_MODEL, max_batch_size: '4', max_input_len: '128', max_output_len: '128' };
const PROMPTS = ['Once upon a time', 'What is deep learning ?', 'The sun'];

const engines: TemporaryEngine[] = [];
afterAll(() => engines.forEach((engine) => engine.dispose()));

async function demoEngine(rankCount: number, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const count = String(rankCount);
  const engine = await buildTemporaryEngine({ ...BUILD, ...more, tp_size: count, world_size: count });
  engines.push(engine);
  return engine.directory;
}

async function answers(
  directory: string,
  members: Partial<GenerateRequest> = { ignoreEos: true },
): Promise<string[]> {
  await using llm = await LLM.load(directory, { threadCount: 1 });
  const all = await Promise.all(
    PROMPTS.map((prompt) => llm.complete({ ...members, prompt, temperature: 0, maxOutputTokens: 48 })),
  );
  return all.map(({ text }) => text);
}

describe('the demo model', () => {
  test('gives the same greedy text on one, two and four ranks', async () => {
    const [one, two, four] = await Promise.all([1, 2, 4].map((rankCount) => demoEngine(rankCount)));
    const expected = await answers(one!);
    expect(await answers(two!)).toEqual(expected);
    expect(await answers(four!)).toEqual(expected);
    expect(childPids(process.pid)).toEqual([]);
  });

  test.each(['int8', 'fp8'])(
    'keeps %s KV blocks on two ranks, which give the text of one',
    async (kvCacheDtype) => {
      const build = { dtype: 'float16', kv_cache_dtype: kvCacheDtype };
      const [one, two] = await Promise.all([1, 2].map((rankCount) => demoEngine(rankCount, build)));
      expect(await answers(two!)).toEqual(await answers(one!));
    },
  );

  test('holds its answers to a form on two ranks as on one', async () => {
    const [one, two] = await Promise.all([1, 2].map((rankCount) => demoEngine(rankCount)));
    const constraint = { type: 'regex', pattern: '(?:[a-z]{2,5} ){3}[a-z]{2,5}\\.' } as const;
    const texts = await answers(two!, { constraint });
    for (const text of texts) expect(text).toMatch(/^(?:[a-z]{2,5} ){3}[a-z]{2,5}\.$/);
    expect(await answers(one!, { constraint })).toEqual(texts);
  });

  test.each([
    [2, 1, /built for 2 ranks, 1 were started. Start with --world_size 2/],
    [2, 4, /built for 2 ranks, 4 were started. Start with --world_size 2/],
    [1, 2, /built for 1 ranks, 2 were started. Start with --world_size 1/],
  ])('built for %i ranks is refused for %i', async (built, worldSize, message) => {
    const directory = await demoEngine(built);
    await expect(LLM.load(directory, { worldSize })).rejects.toMatchObject({
      code: 'WORLD_SIZE_MISMATCH',
      message: expect.stringMatching(message) as string,
    });
    expect(childPids(process.pid)).toEqual([]);
  });

  test('an option that no rank can take is the one error of opening', async () => {
    const engineDirectory = await demoEngine(2);
    await expect(openExecutor({ engineDirectory, maxStepTokens: 1 })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    expect(childPids(process.pid)).toEqual([]);
  });
});

describe('a server over two ranks', () => {
  let demo: DemoServer | undefined;
  afterEach(async () => {
    await demo?.close();
    demo = undefined;
  });

  const isReady = async ({ httpUrl }: DemoServer) =>
    (await fetch(`${httpUrl}/v2/health/ready`)).status === 200;
  const text = { text_input: 'Once upon a time', max_tokens: 200, end_id: -1 };
  const twoRanks = { build: { tp_size: '2', world_size: '2' }, load: { threadCount: 1 } };

  test('loads the engine again with --restart when a rank is killed under load, and answers as before', async () => {
    demo = await startDemoServer({ ...twoRanks, serve: { restart: true } });
    const own = demo;
    const greedy = { ...text, top_k: 1 };
    const ask = async () => (await own.post('/v2/models/ensemble/generate', greedy)).json();
    const before = await ask();
    let runningCount = 0;
    own.engine.loaded.subscribe((stats) => (runningCount = stats.runningCount));
    const open = own.post('/v2/models/ensemble/generate', text);
    await until(() => runningCount > 0);
    process.kill(childPids(process.pid)[0]!, 'SIGKILL');
    expect((await open).status).toBe(503);
    await expect.poll(() => isReady(own)).toBe(true);
    expect(await ask()).toEqual(before);
    expect(childPids(process.pid)).toHaveLength(1);
  });

  test('streams to the client of Triton, serves many in flight as one by one, and reports the memory of each rank', async () => {
    demo = await startDemoServer(twoRanks);
    const own = demo;
    const greedy = (prompt: string) => ({ prompt, maxTokens: 24, endId: -1, topK: 1 });
    const http = new HttpClient({ url: own.httpUrl });
    const grpc = new GrpcClient({ address: own.grpcAddress });
    const textOf = async (pieces: AsyncIterable<{ readonly text: string }>) => {
      let all = '';
      for await (const { text: piece } of pieces) all += piece;
      return all;
    };
    try {
      const alone: string[] = [];
      for (const prompt of PROMPTS) alone.push(await textOf(http.generate(greedy(prompt))));
      const asks = PROMPTS.flatMap((prompt) => [
        textOf(http.generate({ ...greedy(prompt), stream: true })),
        textOf(grpc.generate({ ...greedy(prompt), stream: true })),
      ]);
      const together = await Promise.all(asks);
      const ends = alone.flatMap((whole, i) => [whole, whole].map((one) => one.slice(PROMPTS[i]!.length)));
      expect(together.map((one, i) => ends[i]!.endsWith(one.slice(-40)))).toEqual(ends.map(() => true));
    } finally {
      grpc.close();
    }
    const metrics = await own.metrics();
    for (const rank of ['0', '1'])
      for (const purpose of ['weights', 'KV blocks'])
        expect(
          metricOf(metrics, 'aloft_rank_memory_bytes', `rank="${rank}"`, `purpose="${purpose}"`),
        ).toBeGreaterThan(0);
    // The names by which a gateway's endpoint picker finds replicas with room.
    for (const [name, label] of [
      ['nv_trt_llm_request_metrics', 'request_type="waiting"'],
      ['nv_trt_llm_kv_cache_block_metrics', 'kv_cache_block_type="fraction"'],
    ] as const)
      expect(metricOf(metrics, name, label)).toBeGreaterThanOrEqual(0);
  });

  test('leaves an engine that only ever stops', async () => {
    const errors: string[] = [];
    const log = { ...SILENT_LOG, error: (message: string) => void errors.push(message) };
    demo = await startDemoServer({ ...twoRanks, serve: { restart: true }, log });
    const own = demo;
    for (let kill = 0; kill < 4; kill++) {
      await expect.poll(() => isReady(own)).toBe(true);
      process.kill(childPids(process.pid)[0]!, 'SIGKILL');
      await expect.poll(() => errors.length).toBe(kill + 1);
    }
    expect(errors.map((message) => message.includes('which begins now'))).toEqual([true, true, true, false]);
    expect(await isReady(own)).toBe(false);
  });

  test('answers, and when a rank is killed under load fails open requests with its code and is ready no more', async () => {
    demo = await startDemoServer(twoRanks);
    const own = demo;
    const first = await own.post('/v2/models/ensemble/generate', { ...text, max_tokens: 8 });
    expect([first.status, await isReady(own)]).toEqual([200, true]);
    let runningCount = 0;
    own.engine.loaded.subscribe((stats) => (runningCount = stats.runningCount));
    const open = Array.from({ length: 4 }, () => own.post('/v2/models/ensemble/generate', text));
    await until(() => runningCount > 0);
    const [rank] = childPids(process.pid);
    process.kill(rank!, 'SIGKILL');
    for (const response of await Promise.all(open))
      expect([response.status, await response.text()]).toEqual([
        503,
        expect.stringContaining('Rank 1 of 2') as string,
      ]);
    expect(await isReady(own)).toBe(false);
    expect(childPids(process.pid)).toEqual([]);
  });

  test('is ready no more when a rank is killed while nothing runs', async () => {
    demo = await startDemoServer(twoRanks);
    const own = demo;
    expect(await isReady(own)).toBe(true);
    process.kill(childPids(process.pid)[0]!, 'SIGKILL');
    await expect.poll(() => isReady(own)).toBe(false);
    const late = await own.post('/v2/models/ensemble/generate', text);
    expect(late.status).toBe(503);
  });
});
