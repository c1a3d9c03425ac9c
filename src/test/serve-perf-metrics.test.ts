/** return_perf_metrics of the real engine: how many KV blocks a request took and found, and when what happened. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { IndependentClient, type Message, ensembleRequest } from '../serve/testing/independent-grpc.js';
import { startDemoServer, type DemoServer } from './demo-server.js';

let demo: DemoServer;
beforeAll(async () => {
  demo = await startDemoServer({ repository: { options: { prefixReuse: true } } });
});
afterAll(() => demo.close());

const PROMPT =
  'Once upon a time there was a little girl who had a dog, a cat and a very old wooden boat by the sea. '.repeat(
    2,
  );
const MAX_TOKENS = 5;
const names = ['kv_cache_alloc_new_blocks', 'kv_cache_alloc_total_blocks', 'kv_cache_reused_blocks'] as const;
type Metrics = Readonly<Record<(typeof names)[number] | 'arrival_time_ns' | 'last_token_time_ns', number>>;

const ask = async (more: object): Promise<Metrics & { readonly num_input_tokens: number }> => {
  const body = { text_input: PROMPT, max_tokens: MAX_TOKENS, end_id: -1, ...more };
  const answer = await demo.post('/v2/models/ensemble/generate', body);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Metrics & { readonly num_input_tokens: number };
};

test('a prompt that was asked before is found in the cache', async () => {
  const wanted = { return_perf_metrics: true, return_num_input_tokens: true };
  const [first, again] = [await ask(wanted), await ask(wanted)];
  const { blockTokens } = demo.engine.loaded;
  // The last token is never run, and a prefix hit leaves at least one token to compute.
  const wholeBlocks = Math.ceil((first.num_input_tokens + MAX_TOKENS - 1) / blockTokens);
  const prefixBlocks = Math.floor((first.num_input_tokens - 1) / blockTokens);
  expect(prefixBlocks).toBeGreaterThan(1);
  expect(names.map((name) => first[name])).toEqual([wholeBlocks, wholeBlocks, 0]);
  const rest = wholeBlocks - prefixBlocks;
  expect(names.map((name) => again[name])).toEqual([rest, rest, prefixBlocks]);
  expect(first.last_token_time_ns).toBeGreaterThanOrEqual(first.arrival_time_ns);
  const plain = await ask({});
  for (const name of [...names, 'acceptance_rate', 'total_draft_tokens'])
    expect(plain).not.toHaveProperty(name);
});

test('a stream has them with its last response, over gRPC', async () => {
  const grpc = new IndependentClient(demo.grpcAddress);
  const stream = grpc.stream();
  const request = ensembleRequest(PROMPT, MAX_TOKENS, true);
  (request['inputs'] as Message[]).push({ name: 'return_perf_metrics', datatype: 'BOOL', shape: [1n, 1n] });
  (request['raw_input_contents'] as Uint8Array[]).push(Uint8Array.of(1));
  const responses: Message[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('data', (message: Message) => responses.push(message['infer_response'] as Message));
    stream.on('end', resolve);
    stream.on('error', reject);
  });
  stream.write(request);
  stream.end();
  await ended;
  grpc.close();
  const blocksOf = (response: Message) =>
    (response['outputs'] as Message[]).filter(({ name }) => names.some((known) => known === name));
  expect(blocksOf(responses.at(-1)!)).toEqual(
    ['kv_cache_alloc_new_blocks', 'kv_cache_reused_blocks', 'kv_cache_alloc_total_blocks'].map((name) => ({
      name,
      datatype: 'INT32',
      shape: [1n, 1n],
    })),
  );
  expect(responses.slice(0, -1).flatMap(blocksOf)).toEqual([]);
});
