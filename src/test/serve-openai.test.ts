/** The OpenAI interface on the real engine, by the `openai` client: what each member of a request does. */
import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDemoServer, type DemoServer } from './demo-server.js';

let demo: DemoServer;
let openai: OpenAI;
beforeAll(async () => {
  demo = await startDemoServer();
  openai = new OpenAI({ baseURL: `${demo.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => demo.close());

const model = 'ensemble';
const prompt = 'Once upon a time';
const messages = [{ role: 'user' as const, content: 'What is deep learning ?' }];
const GREEDY = { model, prompt, temperature: 0, max_tokens: 12 };
const HOT = { model, prompt, temperature: 1.5, max_tokens: 12 };

const textsOf = ({ choices }: OpenAI.Completion) => choices.map(({ text }) => text);

async function chunksOf<Chunk>(stream: Promise<AsyncIterable<Chunk>>): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
}

test('stream_options: usage comes last, in a chunk without choices, and nowhere else', async () => {
  const whole = await openai.chat.completions.create({ model, messages, temperature: 0, max_tokens: 8 });
  const request = { model, messages, temperature: 0, max_tokens: 8, stream: true } as const;
  const counted = await chunksOf(
    openai.chat.completions.create({ ...request, stream_options: { include_usage: true } }),
  );
  expect(counted.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
  expect(whole.usage).toMatchObject({ completion_tokens: 8 });
  expect(counted.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  const plain = await chunksOf(openai.chat.completions.create(request));
  expect(plain.every((chunk) => chunk.usage === undefined && chunk.choices.length === 1)).toBe(true);
  await expect(
    openai.chat.completions.create({ model, messages, stream_options: { include_usage: true } }),
  ).rejects.toMatchObject({ status: 400, param: 'stream_options' });
});

test('n and seed: choices differ among themselves, and come again with the seed', async () => {
  const first = textsOf(await openai.completions.create({ ...HOT, n: 3, seed: 11 }));
  expect(new Set(first).size).toBe(3);
  expect(textsOf(await openai.completions.create({ ...HOT, n: 3, seed: 11 }))).toEqual(first);
  expect(textsOf(await openai.completions.create({ ...HOT, n: 3, seed: 12 }))).not.toEqual(first);
  const unseeded = await Promise.all([1, 2, 3].map(() => openai.completions.create(HOT)));
  expect(new Set(unseeded.flatMap(textsOf)).size).toBeGreaterThan(1);
});

test('logprobs: of completions and of chats, streamed and whole', async () => {
  const whole = await openai.completions.create({ ...GREEDY, logprobs: 3 });
  const logprobs = whole.choices[0]!.logprobs!;
  expect(logprobs.tokens!.join('')).toBe(whole.choices[0]!.text);
  expect(logprobs.token_logprobs).toHaveLength(12);
  for (const [i, top] of logprobs.top_logprobs!.entries()) {
    expect(Object.keys(top).length).toBeGreaterThanOrEqual(3);
    // Greedy takes the most likely.
    expect(Math.max(...Object.values(top))).toBeCloseTo(logprobs.token_logprobs![i]!, 5);
  }
  const chunks = await chunksOf(openai.completions.create({ ...GREEDY, logprobs: 3, stream: true }));
  const streamed = chunks.flatMap(({ choices }) => choices[0]?.logprobs?.token_logprobs ?? []);
  expect(streamed).toEqual(logprobs.token_logprobs);

  const chat = { model, messages, temperature: 0, max_tokens: 6, logprobs: true, top_logprobs: 2 } as const;
  const answer = await openai.chat.completions.create(chat);
  const content = answer.choices[0]!.logprobs!.content!;
  expect(content).toHaveLength(6);
  for (const { logprob, top_logprobs: top, bytes, token } of content) {
    expect(top).toHaveLength(2);
    expect(top[0]!.logprob).toBeCloseTo(logprob, 5);
    expect(Buffer.from(bytes!).toString()).toBe(token);
  }
});

test('logit_bias: bans a token, forces another', async () => {
  const { codec } = demo.engine.loaded;
  const [favourite] = textsOf(await openai.completions.create({ ...GREEDY, max_tokens: 1 }));
  const banned = (await codec.encode(prompt + favourite!, true)).at(-1)!;
  const without = await openai.completions.create({ ...GREEDY, logit_bias: { [banned]: -100 } });
  expect(without.choices[0]!.text.startsWith(favourite!)).toBe(false);
  const [, forced] = await codec.encode('tree', true);
  const only = await openai.completions.create({ ...GREEDY, max_tokens: 3, logit_bias: { [forced!]: 100 } });
  expect(only.choices[0]!.text).toBe(
    codec.decode([1, 1000, forced!, forced!, forced!], true).slice(codec.decode([1, 1000], true).length),
  );
});

test('stop: one string or several, never a part of the text', async () => {
  const [text] = textsOf(await openai.completions.create({ ...GREEDY, max_tokens: 40 }));
  const stop = text!.slice(10, 14);
  const expected = text!.slice(0, text!.indexOf(stop));
  for (const given of [stop, [stop], ['§', stop, '¶']]) {
    const answer = await openai.completions.create({ ...GREEDY, max_tokens: 40, stop: given });
    expect(answer.choices[0]).toMatchObject({ text: expected, finish_reason: 'stop' });
    const chunks = await chunksOf(
      openai.completions.create({ ...GREEDY, max_tokens: 40, stop: given, stream: true }),
    );
    expect(chunks.map(({ choices }) => choices[0]!.text).join('')).toBe(expected);
    expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('stop');
  }
});

test("the engine's refusals name members of the request", async () => {
  const error = await openai.chat.completions
    .create({
      model,
      messages,
      max_tokens: 8,
      min_tokens: 9,
    } as OpenAI.ChatCompletionCreateParamsNonStreaming)
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ status: 400, param: 'min_tokens', code: 'request_invalid' });
  expect(String(error)).toMatch(/ min_tokens is 9, but at most 8 tokens can be generated/);
});

describe('response_format and tools', () => {
  test('text is what there is', async () => {
    const answer = await openai.chat.completions.create({
      model,
      messages,
      max_tokens: 4,
      response_format: { type: 'text' },
    });
    expect(answer.choices[0]!.finish_reason).toBe('length');
  });

  test('json_schema holds the answer to the schema', async () => {
    const schema = {
      type: 'object',
      properties: { ok: { type: 'boolean' } },
      required: ['ok'],
      additionalProperties: false,
    };
    const answer = await openai.chat.completions.create({
      model,
      messages,
      // The longest answer: 12 characters, and a line break with 32 spaces in each of five gaps. Tokens are drawn.
      max_tokens: 180,
      response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } },
    });
    expect(answer.choices[0]!.finish_reason).toBe('stop');
    const value: unknown = JSON.parse(answer.choices[0]!.message.content!);
    expect(value).toEqual({ ok: expect.any(Boolean) as boolean });
  });

  test('a schema that is not supported is refused with the error object of OpenAI', async () => {
    const json_schema = { name: 'x', schema: { type: 'array', contains: {} } };
    const error = await openai.chat.completions
      .create({ model, messages, response_format: { type: 'json_schema', json_schema } })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({
      status: 400,
      type: 'invalid_request_error',
      message: expect.stringContaining('at #/contains: the keyword contains') as string,
    });
  });

  test('tools and tool_choice are accepted, and the template of this model does not use them', async () => {
    const answer = await openai.chat.completions.create({
      model,
      max_tokens: 4,
      tools: [{ type: 'function', function: { name: 'add', parameters: { type: 'object' } } }],
      tool_choice: 'auto',
      messages,
    });
    expect(answer.usage!.completion_tokens).toBeGreaterThan(0);
  });
});
