/** Cases from the field on the real engine: what clients of the OpenAI interface send, and the answers that they rely on. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LLM } from '../llm/llm.js';
import { buildTemporaryEngine, DEMO_MODEL } from './build-and-open.js';
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
const LONG = 'word '.repeat(6000);

const complete = (body: object) =>
  openai.completions.create({ ...GREEDY, ...body } as OpenAI.CompletionCreateParamsNonStreaming);
const chat = (body: object) =>
  openai.chat.completions.create({
    model,
    messages,
    temperature: 0,
    max_tokens: 8,
    ...body,
  } as OpenAI.ChatCompletionCreateParamsNonStreaming);
const faultOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (fault: unknown) => fault,
  );

describe('a prompt that is too long', () => {
  test.each([
    ['messages', () => chat({ messages: [{ role: 'user', content: LONG }] })],
    ['prompt', () => complete({ prompt: LONG })],
    ['prompt', () => complete({ prompt: Array.from({ length: 300 }, () => 100) })],
  ])('has the code and the words by which agents shorten it: %s', async (param, call) => {
    expect(await faultOf(call())).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      param,
      message: expect.stringMatching(/maximum context length is 512 tokens/),
    });
  });
});

describe('a prompt that cannot be', () => {
  const system = { role: 'system' as const, content: 'x' };
  test.each([
    ['messages', /has no tokens/, () => chat({ messages: [system] })],
    ['messages', /chat template does not accept/, () => chat({ messages: [...messages, ...messages] })],
    ['prompt', /^400 prompt\[1\] is 99999, but token ids/, () => complete({ prompt: [5, 99_999] })],
    ['prompt', /has no tokens/, () => complete({ prompt: '', add_special_tokens: false })],
  ])('is refused with the member that holds it: %s, %s', async (param, message, call) => {
    expect(await faultOf(call())).toMatchObject({
      status: 400,
      code: 'request_invalid',
      param,
      message: expect.stringMatching(message),
    });
  });

  test.each([
    '/v1/completions',
    '/v1/chat/completions',
    '/v2/models/ensemble/generate',
    '/v2/models/ensemble/infer',
  ])('is refused on %s where its bytes are not UTF-8', async (path) => {
    const latin1 = Buffer.from(JSON.stringify({ ...GREEDY, messages, text_input: 'é' }), 'latin1');
    const answer = await fetch(demo.httpUrl + path, { method: 'POST', body: latin1 });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('is not UTF-8')]);
  });
});

describe("inputs of Triton's models", () => {
  const refusal = async (members: object) => {
    const body = JSON.stringify({ input_ids: [5, 6], input_lengths: 2, request_output_len: 2, ...members });
    const answer = await fetch(`${demo.httpUrl}/v2/models/tensorrt_llm/generate`, { method: 'POST', body });
    return [answer.status, await answer.json()];
  };

  test('a token that the model lacks is named by its place in input_ids', async () => {
    expect(await refusal({ input_ids: [5, 99_999] })).toEqual([
      400,
      { error: 'input_ids[1] is 99999, but token ids of this model are 0 to 4095.' },
    ]);
  });

  test('embedding_bias has a value for each token', async () => {
    expect(await refusal({ embedding_bias: [5] })).toEqual([
      400,
      { error: "embedding_bias has 1 values, but needs one for each of the model's 4096 tokens." },
    ]);
    const bias = Array.from({ length: 4096 }, (_, id) => (id === 300 ? 100 : 0));
    expect(await refusal({ embedding_bias: bias })).toMatchObject([200, { output_ids: [5, 6, 300, 300] }]);
  });
});

describe('max_tokens beyond what is left', () => {
  test.each([300, 100_000])('is cut to it and ends with length: %i', async (max_tokens) => {
    const ids = Array.from({ length: 200 }, (_, i) => 300 + i);
    const answer = await complete({ prompt: ids, max_tokens, ignore_eos: true });
    expect(answer.choices[0]!.finish_reason).toBe('length');
    expect(answer.usage!.completion_tokens).toBe(256);
  });

  test('is refused with --strict-lengths', async () => {
    const strict = await startDemoServer({ serve: { strictLengths: true } });
    try {
      const client = new OpenAI({ baseURL: `${strict.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
      const body = { ...GREEDY, prompt: Array.from({ length: 256 }, () => 300) };
      expect(await faultOf(client.completions.create({ ...body, max_tokens: 257 }))).toMatchObject({
        status: 400,
        param: 'max_tokens',
        code: 'request_too_large',
      });
      expect((await client.completions.create({ ...body, max_tokens: 1 })).choices).toHaveLength(1);
    } finally {
      await strict.close();
    }
  });
});

describe('stops', () => {
  test('no stop string ends the text before min_tokens', async () => {
    const plain = await complete({});
    const answer = await complete({ min_tokens: 8, stop: ['little'] });
    expect(answer.choices[0]!.text).toBe(plain.choices[0]!.text);
    expect(answer.usage!.completion_tokens).toBe(12);
    expect((await complete({ min_tokens: 2, stop: ['little'] })).usage!.completion_tokens).toBe(4);
  });

  test('no stop token either', async () => {
    const { tokens } = (await complete({ logprobs: 0 })).choices[0]!.logprobs!;
    const [id] = await demo.engine.loaded.codec.encode(tokens![3]!.trim(), false);
    const stopped = await complete({ stop_token_ids: [id] });
    expect(stopped.choices[0]!.finish_reason).toBe('stop');
    const held = await complete({ stop_token_ids: [id], min_tokens: 8 });
    expect(held.usage!.completion_tokens).toBeGreaterThan(8);
  });

  test.each([
    ['alone', ['<s>'], {}],
    ['among others', ['never', '<s>'], {}],
    ['with others around it', ['<s><s>'], { tokenCount: 2 }],
  ])('a control token is found: %s', async (_, stop, { tokenCount = 1 }: { tokenCount?: number }) => {
    const answer = await complete({ logit_bias: { '1': 100 }, stop, max_tokens: 5 });
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop', text: '' });
    expect(answer.usage!.completion_tokens).toBe(tokenCount);
  });
});

describe('log probabilities', () => {
  const FIRST_BYTE = { '243': 100 };

  test('have the bytes of a part of a character', async () => {
    const answer = await chat({ logprobs: true, top_logprobs: 2, logit_bias: FIRST_BYTE, max_tokens: 2 });
    const content = answer.choices[0]!.logprobs!.content!;
    expect(content.map(({ bytes }) => bytes)).toEqual([[0xf0], [0xf0]]);
    for (const { token, bytes } of content.flatMap(({ top_logprobs: top }) => top))
      expect(Buffer.from(bytes!).toString()).toBe(token);
  });

  test('name it by its bytes where names must differ', async () => {
    const answer = await complete({ logprobs: 2, logit_bias: FIRST_BYTE, max_tokens: 1 });
    expect(answer.choices[0]!.logprobs!.tokens).toEqual(['bytes:\\xf0']);
  });
});

describe('echo without output', () => {
  test.each([false, true])('scores the prompt and generates nothing (stream: %s)', async (stream) => {
    const body = { ...GREEDY, prompt: 'Once upon', max_tokens: 0, echo: true, logprobs: 1 };
    if (stream) {
      let text = '';
      const reasons: unknown[] = [];
      for await (const chunk of await openai.completions.create({ ...body, stream: true })) {
        text += chunk.choices[0]?.text ?? '';
        reasons.push(chunk.choices[0]?.finish_reason);
      }
      expect([text, reasons.at(-1)]).toEqual(['Once upon', 'length']);
      return;
    }
    const answer = await openai.completions.create(body);
    const scored = (await complete({ prompt: 'Once upon', max_tokens: 1, echo: true, logprobs: 1 }))
      .choices[0]!;
    const choice = answer.choices[0]!;
    expect([choice.text, choice.finish_reason, answer.usage!.completion_tokens]).toEqual([
      'Once upon',
      'length',
      0,
    ]);
    expect(choice.logprobs!.tokens).toEqual(scored.logprobs!.tokens!.slice(0, -1));
    expect(choice.logprobs!.token_logprobs).toEqual(scored.logprobs!.token_logprobs!.slice(0, -1));
  });

  test('without echo answers nothing', async () => {
    expect((await complete({ max_tokens: 0 })).choices[0]).toMatchObject({
      text: '',
      finish_reason: 'length',
    });
  });
});

describe('continue_final_message', () => {
  const begun = [...messages, { role: 'assistant' as const, content: 'Deep learning is' }];
  const goOn = { continue_final_message: true, add_generation_prompt: false };

  test('goes on within the last message', async () => {
    const answer = await chat({ messages: begun, ...goOn });
    const plain = await complete({
      prompt: '<s>[INST] What is deep learning ? [/INST] Deep learning is',
      max_tokens: 8,
      add_special_tokens: false,
    });
    expect(answer.choices[0]!.message.content).toBe(plain.choices[0]!.text);
    expect(answer.usage!.prompt_tokens).toBe(plain.usage!.prompt_tokens);
  });

  test('with add_generation_prompt is a contradiction', async () => {
    const fault = await faultOf(chat({ messages: begun, ...goOn, add_generation_prompt: true }));
    expect(fault).toMatchObject({ status: 400, param: 'continue_final_message' });
  });
});

test.each([
  [() => complete({ response_format: { type: 'xml' } }), 'response_format'],
  [() => complete({ grammar: 3 }), 'grammar'],
  [() => chat({ json_schema: 3 }), 'json_schema'],
  [() => chat({ structural_tag: {} }), 'structural_tag'],
  [() => chat({ chat_template: '{{ messages }}' }), 'chat_template'],
])('what cannot be honoured is refused by name (%#)', async (call, param) => {
  expect(await faultOf(call())).toMatchObject({ status: 400, param });
});

test('an engine that was built without a length of outputs lets one use all that the prompt leaves', async () => {
  const sizes = { model_dir: DEMO_MODEL, max_batch_size: '1', max_input_len: '64' };
  const engine = await buildTemporaryEngine(sizes);
  try {
    await using llm = await LLM.load(engine.directory);
    expect(llm.model).toMatchObject({ maxSequenceTokens: 576, maxOutputTokens: 575 });
    const request = { prompt: 'Once', temperature: 0, ignoreEos: true, maxOutputTokens: 570 };
    expect((await llm.complete(request)).usage.outputTokens).toBe(570);
  } finally {
    engine.dispose();
  }
});
