/** On the real engine: what is streamed, joined, is what is answered in one piece, over every protocol. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GrpcClient, HttpClient } from '../client/index.js';
import {
  IndependentClient,
  type Message,
  rawInt32,
  rawText,
  textsOf,
} from '../serve/testing/independent-grpc.js';
import { aloft } from '../tools/cli/testing/command-line.js';
import { startDemoServer, type DemoServer } from './demo-server.js';
import { DEVICE } from './device.js';

let demo: DemoServer;
let grpc: IndependentClient;
let openai: OpenAI;
beforeAll(async () => {
  demo = await startDemoServer();
  grpc = new IndependentClient(demo.grpcAddress);
  openai = new OpenAI({ baseURL: `${demo.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(async () => {
  grpc.close();
  await demo.close();
});

const PROMPTS = [
  'What is deep learning ?',
  '深度学习是什么？',
  'Smile 😀 and wave 👋🏽 or 👨‍👩‍👧',
  'def add(a, b):\n    return a + b\n\n\tif x:',
  '   three leading spaces',
  'naïve Ünïcödé, "quotes" \\ and {braces}',
];

interface Sampling {
  readonly temperature: number;
  readonly seed: number;
}
/** Greedy is the model's best English; hot sampling brings byte tokens, broken characters and spaces in any order. */
const SAMPLINGS: readonly Sampling[] = [
  { temperature: 0, seed: 1 },
  { temperature: 3, seed: 77 },
];
const MAX_TOKENS = 32;
const CASES = PROMPTS.flatMap((prompt) =>
  SAMPLINGS.map((sampling): [string, Sampling] => [prompt, sampling]),
);

const members = (prompt: string, { temperature, seed }: Sampling, stream: boolean) => ({
  text_input: prompt,
  max_tokens: MAX_TOKENS,
  temperature,
  random_seed: seed,
  top_k: 0,
  stream,
});

async function wholeText(prompt: string, sampling: Sampling, exclude: boolean): Promise<string> {
  const body = { ...members(prompt, sampling, false), exclude_input_in_output: exclude };
  const answer = (await (await demo.post('/v2/models/ensemble/generate', body)).json()) as {
    text_output: string;
  };
  return answer.text_output;
}

async function overSse(prompt: string, sampling: Sampling): Promise<string> {
  const response = await demo.post('/v2/models/ensemble/generate_stream', members(prompt, sampling, true));
  const events = (await response.text()).split('\n\n').filter((event) => event !== '');
  return events.map((event) => (JSON.parse(event.slice(6)) as { text_output: string }).text_output).join('');
}

function tensors(prompt: string, { temperature, seed }: Sampling, stream: boolean): Message {
  const input = (name: string, datatype: string) => ({ name, datatype, shape: [1n, 1n] });
  const seedBytes = new Uint8Array(BigUint64Array.of(BigInt(seed)).buffer);
  return {
    model_name: 'ensemble',
    inputs: [
      input('text_input', 'BYTES'),
      input('max_tokens', 'INT32'),
      input('temperature', 'FP32'),
      input('random_seed', 'UINT64'),
      input('top_k', 'INT32'),
      input('stream', 'BOOL'),
      input('exclude_input_in_output', 'BOOL'),
    ],
    outputs: [{ name: 'text_output' }],
    raw_input_contents: [
      rawText(prompt),
      rawInt32(MAX_TOKENS),
      new Uint8Array(Float32Array.of(temperature).buffer),
      seedBytes,
      rawInt32(0),
      Uint8Array.of(stream ? 1 : 0),
      Uint8Array.of(1),
    ],
  };
}

async function overGrpcStream(request: Message): Promise<string> {
  const stream = grpc.stream();
  let text = '';
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('data', (message: Message) => {
      if (message['error_message']) reject(new Error(JSON.stringify(message['error_message'])));
      text += textsOf((message['infer_response'] ?? {}) as Message).join('');
    });
    stream.on('end', resolve);
    stream.on('error', reject);
  });
  stream.write(request);
  stream.end();
  await ended;
  return text;
}

const extras = ({ temperature, seed }: Sampling) => ({
  model: 'ensemble',
  max_tokens: MAX_TOKENS,
  temperature,
  seed,
});

test('the seed in an answer makes it again', async () => {
  const { random_seed: _, ...unseeded } = members('Once upon a time', { temperature: 3, seed: 0 }, false);
  const ask = async (body: object) => {
    const answer = await demo.post('/v2/models/ensemble/generate', { ...body, return_random_seed: true });
    return (await answer.json()) as { text_output: string; random_seed: number };
  };
  const [first, other] = [await ask(unseeded), await ask(unseeded)];
  expect(other.random_seed).not.toBe(first.random_seed);
  expect(other.text_output).not.toBe(first.text_output);
  expect(await ask({ ...unseeded, random_seed: first.random_seed })).toEqual(first);
});

describe.each(CASES)('%j at %j', (prompt, sampling) => {
  test('HTTP and gRPC, streamed and whole', async () => {
    const expected = await wholeText(prompt, sampling, true);
    expect(await wholeText(prompt, sampling, false)).toBe(prompt + expected);
    expect(await overSse(prompt, sampling)).toBe(expected);
    expect(textsOf(await grpc.call('ModelInfer', tensors(prompt, sampling, false)))).toEqual([expected]);
    expect(await overGrpcStream(tensors(prompt, sampling, false))).toBe(expected);
    expect(await overGrpcStream(tensors(prompt, sampling, true))).toBe(expected);
  });

  test('OpenAI: completions and chat, several choices', async () => {
    const expected = await wholeText(prompt, sampling, true);
    const request = { ...extras(sampling), prompt, n: 2 };
    const whole = await openai.completions.create(request);
    // The last token of a prompt with several continuations is computed by itself: on a GPU by another kernel, whose roundings
    // change what is drawn from almost equal probabilities.
    if (DEVICE === 'cpu' || sampling.temperature === 0) expect(whole.choices[0]?.text).toBe(expected);
    const texts = ['', ''];
    for await (const chunk of await openai.completions.create({ ...request, stream: true }))
      for (const { index, text } of chunk.choices) texts[index] += text;
    expect(texts).toEqual(whole.choices.map(({ text }) => text));

    const chat = { ...extras(sampling), messages: [{ role: 'user' as const, content: prompt }] };
    const answer = await openai.chat.completions.create(chat);
    let streamed = '';
    for await (const chunk of await openai.chat.completions.create({ ...chat, stream: true }))
      streamed += chunk.choices[0]?.delta.content ?? '';
    expect(streamed).toBe(answer.choices[0]?.message.content);
  });

  test('our clients and the command', async () => {
    const expected = await wholeText(prompt, sampling, true);
    const { temperature, seed } = sampling;
    const clients = [new HttpClient({ url: demo.httpUrl }), new GrpcClient({ address: demo.grpcAddress })];
    for (const client of clients) {
      for (const stream of [false, true]) {
        const request = { prompt, maxTokens: MAX_TOKENS, temperature, seed: BigInt(seed), topK: 0, stream };
        let text = '';
        for await (const piece of client.generate({ ...request, excludeInput: true })) text += piece.text;
        expect(text).toBe(expected);
      }
    }
    (clients[1] as GrpcClient).close();
    if (temperature > 0) return; // the command's own part does not depend on the text
    for (const protocol of ['grpc', 'http'] as const) {
      const url = protocol === 'grpc' ? demo.grpcAddress : demo.httpUrl;
      const flags = ['-i', protocol, '-u', url, '-p', prompt, '-o', String(MAX_TOKENS), '--top-k', '0'];
      const seeded = ['--temperature', String(temperature), '--random-seed', String(seed)];
      const line = ['client', ...flags, ...seeded, '--exclude-input-in-output'];
      const whole = await aloft(...line);
      expect([whole.status, whole.out]).toEqual([0, `${expected}\n`]);
      expect((await aloft(...line, '-S')).out).toBe(whole.out);
    }
  });
});

test('most answers are not empty, and some begin with a space that joins them to their prompt', async () => {
  const texts = await Promise.all(CASES.map(([prompt, sampling]) => wholeText(prompt, sampling, true)));
  expect(texts.filter((text) => text.length > 20).length).toBeGreaterThan(CASES.length / 2);
  expect(texts.filter((text) => text.startsWith(' ')).length).toBeGreaterThan(1);
});

test('a character of several tokens comes whole, and what is no character comes at the end', async () => {
  // Byte tokens only: the model writes bytes of Chinese characters and emoji in an order of its own.
  const bytes = Buffer.from('中文字😀👋é');
  const { codec } = demo.engine.loaded;
  const byteTokens = [...new Set(bytes)].map((byte) => byte + 3);
  expect(
    codec
      .decode(
        [...Buffer.from('中')].map((byte) => byte + 3),
        true,
      )
      .trim(),
  ).toBe('中');
  const logit_bias = Object.fromEntries(byteTokens.map((id) => [id, 100]));
  for (let seed = 0; seed < 12; seed++) {
    const request = { model: 'ensemble', prompt: 'x', max_tokens: 24, temperature: 8, seed, logit_bias };
    const whole = await openai.completions.create(request);
    const pieces: string[] = [];
    for await (const chunk of await openai.completions.create({ ...request, stream: true }))
      pieces.push(...chunk.choices.map(({ text }) => text));
    expect(pieces.join('')).toBe(whole.choices[0]?.text);
  }
});
