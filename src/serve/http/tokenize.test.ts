import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

async function post(path: string, body: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const reply = await fetch(server.httpUrl + path, { method: 'POST', body: JSON.stringify(body) });
  return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
}

test.each([{ model: 'ensemble' }, {}])('texts become tokens and come back: %j', async (named) => {
  const { body } = await post('/tokenize', { ...named, prompt: 'a é', return_token_strs: true });
  const tokens = [1, 100, 35, 198, 172];
  expect(body).toEqual({
    count: 5,
    max_model_len: 8192,
    tokens,
    token_strs: ['<s>', 'a', ' ', '\ufffd', '\ufffd'],
  });
  expect((await post('/tokenize', { ...named, prompt: 'a', add_special_tokens: false })).body).toMatchObject({
    tokens: [100],
    token_strs: null,
  });
  expect((await post('/detokenize', { ...named, tokens })).body).toEqual({ prompt: '<s>a é' });
  const plain = await post('/detokenize', { ...named, tokens, skip_special_tokens: true });
  expect(plain.body).toEqual({ prompt: 'a é' });
});

test('a chat has the tokens that an answer to it starts from', async () => {
  const messages = [{ role: 'user', content: 'Hi' }];
  const { body } = await post('/tokenize', { messages });
  const chat = await post('/v1/chat/completions', { model: 'ensemble', messages, max_tokens: 1 });
  expect((chat.body['usage'] as { prompt_tokens: number }).prompt_tokens).toBe(body['count']);
});

test.each<[string, object, string]>([
  ['/tokenize', {}, 'prompt'],
  ['/tokenize', { prompt: 'a', messages: [] }, 'prompt'],
  ['/tokenize', { prompt: 3 }, 'prompt'],
  ['/tokenize', { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, 'messages.0.content'],
  ['/detokenize', { tokens: 'a' }, 'tokens'],
  ['/detokenize', { tokens: [1, 259] }, 'tokens.1'],
])('%s refuses %j with its member', async (path, given, param) => {
  const { status, body } = await post(path, given);
  expect([status, body['error']]).toEqual([400, expect.objectContaining({ param })]);
});

test('a model that is not there has the form of the interface', async () => {
  const { status, body } = await post('/tokenize', { model: 'none', prompt: 'a' });
  expect([status, body['error']]).toEqual([404, expect.objectContaining({ type: 'not_found_error' })]);
});
