/** Several engines of one server, without a repository. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { SILENT_LOG } from '../core/log.js';
import { DEFAULT_SERVE_OPTIONS } from '../serve/context/options.js';
import { parseServedName } from '../serve/context/served-names.js';
import { llmEngineLoader } from '../serve/engine/llm-engine-loader.js';
import { type RunningServer, startServer } from '../serve/start/server.js';
import { buildTemporaryEngine, DEMO_MODEL, type TemporaryEngine } from './build-and-open.js';

const LIMITS = { model_dir: DEMO_MODEL, max_batch_size: '4', max_input_len: '64', max_output_len: '32' };
const engines: TemporaryEngine[] = [];
const infos: string[] = [];
let server: RunningServer;

beforeAll(async () => {
  engines.push(await buildTemporaryEngine(LIMITS), await buildTemporaryEngine({ ...LIMITS, task: 'embed' }));
  const free = { host: '127.0.0.1', port: 0 };
  const [text, vectors] = engines.map(({ directory }) => directory);
  const namedEngines = [
    { name: 'tiny-chat', directory: text! },
    { name: 'tiny-embed', directory: vectors! },
  ];
  server = await startServer(
    {
      ...DEFAULT_SERVE_OPTIONS,
      ...{ http: free, grpc: free, metrics: free, namedEngines, idleUnloadMs: 2000 },
      servedNames: [parseServedName('org/tiny-chat=tiny-chat')],
    },
    { loader: llmEngineLoader({}), log: { ...SILENT_LOG, info: (message) => void infos.push(message) } },
  );
  await server.modelsLoaded;
});
afterAll(async () => {
  await server.close();
  for (const engine of engines) engine.dispose();
});

async function post(path: string, body: object): Promise<[status: number, body: unknown]> {
  const url = `http://127.0.0.1:${server.ports.http}${path}`;
  const reply = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  return [reply.status, await reply.json()];
}

const complete = (model: string) =>
  post('/v1/completions', { model, prompt: 'Once upon a time', max_tokens: 8, temperature: 0 });
const embed = (model: string) => post('/v1/embeddings', { model, input: 'a text' });

test('each has a model by its name, and one of a hub its name there, too', async () => {
  const url = `http://127.0.0.1:${server.ports.http}/v1/models`;
  const { data } = (await (await fetch(url)).json()) as { data: { id: string }[] };
  expect(data.map(({ id }) => id)).toEqual(['org/tiny-chat', 'tiny-embed']);
  const [[status, whole], alias] = [await complete('tiny-chat'), await complete('org/tiny-chat')];
  expect([status, whole]).toEqual([200, expect.objectContaining({ model: 'tiny-chat' })]);
  const textOf = (body: unknown) => (body as { choices: { text: string }[] }).choices[0]!.text;
  expect(textOf(alias[1])).toBe(textOf(whole));
  expect(await embed('tiny-embed')).toEqual([200, expect.objectContaining({ model: 'tiny-embed' })]);
  const triton = { text_input: 'Once', max_tokens: 4 };
  expect((await post('/v2/models/tiny-chat/generate', triton))[0]).toBe(200);
});

test('what one cannot do is said by its own name', async () => {
  const message = (sentence: RegExp) => ({
    error: expect.objectContaining({ message: expect.stringMatching(sentence) }),
  });
  expect(await embed('tiny-chat')).toEqual([400, message(/generates text and makes no embeddings/)]);
  expect(await complete('tiny-embed')).toEqual([400, message(/makes embeddings and no text/)]);
});

test('each is unloaded by itself', async () => {
  // Both are loaded now, whatever happened before.
  await Promise.all([embed('tiny-embed'), complete('tiny-chat')]);
  infos.length = 0;
  const hasSlept = (name: string) => infos.some((line) => line.includes(`Model '${name}.engine' unloaded`));
  await vi.waitFor(
    async () => {
      expect((await complete('tiny-chat'))[0]).toBe(200);
      expect(hasSlept('tiny-embed')).toBe(true);
    },
    { timeout: 60_000, interval: 200 },
  );
  expect((await embed('tiny-embed'))[0]).toBe(200);
});
