/** Every answer that the server cuts off says so, in each protocol. */
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { callsOf, type Ending } from './testing/cut-calls.js';
import { ENDLESS_PROMPT } from './testing/scripted-model.js';
import { startTestServer, until, type TestServer } from './testing/test-server.js';

let server: TestServer | undefined;
let closeCalls: (() => void) | undefined;
afterEach(async () => {
  closeCalls?.();
  await server?.close();
});

/** A thousand answers in all, over seven kinds of calls. */
const ROUNDS = 143;

/** Two slots of answers that never end, and requests that wait behind them. */
async function startCalls(): Promise<{ readonly endings: Promise<Ending>[]; readonly own: TestServer }> {
  const own = await startTestServer({
    script: { slotCount: 2, maxWaitingCount: 2000, answer: () => 'word ' },
    options: { drainMs: 20, controlMode: 'explicit', loadModels: ['*'] },
  });
  server = own;
  own.model.hold(12);
  const { calls, close } = callsOf(own, ENDLESS_PROMPT);
  closeCalls = close;
  const endings = Array.from({ length: ROUNDS * calls.length }, (_, i) => calls[i % calls.length]!());
  await until(() => own.model.requests.length === endings.length);
  return { endings, own };
}

/** Triton's whole answers have a status alone. */
const isCut = (code: string) => (ending: Ending) => ['503', 'UNAVAILABLE', code].includes(ending.code ?? '');

/** Requests that the server counts as ended well, and those that it counts as failed. */
async function counts({ server: { context } }: TestServer) {
  const metrics = await context.metrics.registry.metrics();
  const sumOf = (name: string) =>
    Array.from(
      metrics.matchAll(new RegExp(`^${name}{[^}]*model="(?:ensemble|tensorrt_llm_bls)"[^}]*} (\\d+)`, 'gm')),
    ).reduce((sum, [, count]) => sum + Number(count), 0);
  return { ended: sumOf('nv_inference_request_success'), failed: sumOf('nv_inference_request_failure') };
}

test('a shutdown with too little time ends every request with its code', async () => {
  const { endings, own } = await startCalls();
  const [ended] = await Promise.all([Promise.all(endings), own.server.close()]);
  for (const ending of ended) expect(ending).toSatisfy(isCut('SHUTTING_DOWN'));
  expect(await counts(own)).toEqual({ ended: 0, failed: endings.length });
});

test('an unload ends every request with its code', async () => {
  const { endings, own } = await startCalls();
  const { repository } = own.server.context;
  const [ended] = await Promise.all([Promise.all(endings), repository.unload('tensorrt_llm', true)]);
  for (const ending of ended) expect(ending).toSatisfy(isCut('MODEL_UNAVAILABLE'));
  expect(await counts(own)).toEqual({ ended: 0, failed: endings.length });
});

describe('requests to an engine that another has replaced', () => {
  /** Calls that the old engine has, longer than a drain may take. */
  async function replaced(prompt: string) {
    const own = await startTestServer({
      script: { slotCount: 2 },
      options: { drainMs: 20, controlMode: 'explicit', loadModels: ['*'] },
    });
    server = own;
    const { model: old } = own;
    old.hold();
    const { calls, close } = callsOf(own, prompt);
    closeCalls = close;
    const endings = calls.map((call) => call());
    await until(() => old.requests.length === calls.length);
    await own.server.context.repository.load('tensorrt_llm');
    expect(own.model).not.toBe(old);
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { own, old, endings };
  }

  test('are answered, however long that takes', async () => {
    const { own, old, endings } = await replaced('word');
    old.allow();
    for (const { code, text } of await Promise.all(endings)) {
      expect(code).toBeUndefined();
      expect(text).not.toBe('');
    }
    await until(() => old.isDisposed);
    expect(await counts(own)).toEqual({ ended: endings.length, failed: 0 });
  });

  test.each([
    ['SHUTTING_DOWN', (own: TestServer) => own.server.close()],
    ['MODEL_UNAVAILABLE', (own: TestServer) => own.server.context.repository.unload('tensorrt_llm', true)],
  ])('end with %s when the model goes, too', async (code, end) => {
    const { own, old, endings } = await replaced(ENDLESS_PROMPT);
    await end(own);
    for (const ending of await Promise.all(endings)) expect(ending).toSatisfy(isCut(code));
    expect(old.isDisposed).toBe(true);
    expect(await counts(own)).toEqual({ ended: 0, failed: endings.length });
  });
});

test('a body that comes while the engine is replaced is answered by the new one', async () => {
  const own = await startTestServer({ options: { controlMode: 'explicit', loadModels: ['*'] } });
  server = own;
  const { repository } = own.server.context;
  const tensor = (name: string, datatype: string, value: unknown) => ({
    name,
    datatype,
    shape: [1, 1],
    data: [value],
  });
  const inputs = [tensor('text_input', 'BYTES', 'a'), tensor('max_tokens', 'INT32', 2)];
  // Inflated beside the event loop, so that a replacement comes between the head of the request and its body.
  const body = gzipSync(JSON.stringify({ inputs }) + ' '.repeat(2 ** 20));
  const ask = async () => {
    const headers = { 'content-encoding': 'gzip' };
    const answer = await fetch(`${own.httpUrl}/v2/models/ensemble/infer`, { method: 'POST', headers, body });
    return answer.status === 200 ? 200 : await answer.text();
  };
  let isOver = false;
  const replaced = (async () => {
    while (!isOver) {
      await repository.load('tensorrt_llm');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  const statuses = [];
  for (let i = 0; i < 5; i++) statuses.push(...(await Promise.all([ask(), ask(), ask(), ask()])));
  isOver = true;
  await replaced;
  expect(new Set(statuses)).toEqual(new Set([200]));
});

test('rows of one request take turns with a request that comes later', async () => {
  const own = await startTestServer({ script: { slotCount: 4, answer: () => 'word' } });
  server = own;
  own.model.hold();
  const ask = (body: object) =>
    fetch(`${own.httpUrl}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'ensemble', ...body }),
    });
  const many = ask({ prompt: Array.from({ length: 64 }, (_, i) => `prompt ${i}`) });
  await until(() => own.model.requests.length === 5);
  const one = ask({ prompt: 'single' });
  await until(() => own.model.requests.length === 6);
  own.model.allow();
  expect([(await one).status, (await many).status]).toEqual([200, 200]);
  const prompts = own.model.requests.map(({ prompt }) => ('text' in prompt ? prompt.text : ''));
  expect(prompts.indexOf('single')).toBe(5);
  expect(prompts.length).toBe(65);
});
