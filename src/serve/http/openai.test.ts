import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AloftError } from '../../core/errors.js';
import { ENDLESS_PROMPT } from '../testing/scripted-model.js';
import { startTestServer, until, type TestServer } from '../testing/test-server.js';

let server: TestServer;
let openai: OpenAI;
beforeAll(async () => {
  server = await startTestServer({ script: { tokenMs: 1 } });
  openai = new OpenAI({ baseURL: `${server.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => server.close());

const model = 'ensemble';
const messages = [{ role: 'user' as const, content: 'Grüße 😀' }];

describe('models', () => {
  test('lists one text model of each engine and describes any', async () => {
    const ids = (await openai.models.list()).data.map((entry) => entry.id);
    expect(ids).toEqual(['ensemble']);
    expect(await openai.models.retrieve('ensemble')).toMatchObject({ object: 'model', owned_by: 'aloft' });
    await expect(openai.models.retrieve('nope')).rejects.toMatchObject({
      status: 404,
      type: 'not_found_error',
    });
  });
});

describe('chat completions', () => {
  test('whole and streamed answers are equal', async () => {
    const whole = await openai.chat.completions.create({ model, messages, max_tokens: 100 });
    expect(whole).toMatchObject({
      object: 'chat.completion',
      model,
      choices: [{ index: 0, finish_reason: 'stop' }],
    });
    expect(whole.choices[0]?.message).toMatchObject({
      role: 'assistant',
      content: ' echo of user: Grüße 😀\n',
    });
    const stream = await openai.chat.completions.create({
      model,
      messages,
      max_tokens: 100,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    const last = [];
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      last.push(chunk);
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(last[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(last.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(last.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
  });

  test('n, stop, seed, penalties, bias and limits reach the engine', async () => {
    const answer = await openai.chat.completions.create({
      model,
      messages,
      n: 2,
      stop: [' of'],
      seed: 7,
      presence_penalty: 0.5,
      frequency_penalty: -0.5,
      logit_bias: { '5': -100 },
      top_p: 0.9,
      max_completion_tokens: 50,
    });
    expect(answer.choices.map((choice) => choice.message.content)).toEqual([' echo', ' echo']);
    expect(server.model.requests.at(-1)).toMatchObject({
      sequenceCount: 2,
      stop: [' of'],
      seed: 7n,
      presencePenalty: 0.5,
      frequencyPenalty: -0.5,
      logitBias: { 5: -100 },
      topP: 0.9,
      temperature: 1,
      maxOutputTokens: 50,
    });
  });

  test('log probabilities', async () => {
    const answer = await openai.chat.completions.create({
      model,
      messages,
      max_tokens: 3,
      logprobs: true,
      top_logprobs: 2,
    });
    const content = answer.choices[0]?.logprobs?.content ?? [];
    expect(content.map((entry) => entry.token)).toEqual([' ', 'e', 'c']);
    expect(content[0]?.top_logprobs).toHaveLength(2);
    expect(answer.choices[0]?.finish_reason).toBe('length');
  });

  test("OpenAI's newer role of instructions is the one that templates know", async () => {
    const instructed = [{ role: 'developer' as const, content: 'Be brief.' }, ...messages];
    await openai.chat.completions.create({ model, messages: instructed, max_tokens: 1 });
    expect(server.model.requests.at(-1)?.prompt).toMatchObject({
      messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user' }],
    });
  });

  test('a wrong method has the error object, too', async () => {
    const response = await fetch(`${server.httpUrl}/v1/chat/completions`);
    expect([response.status, await response.json()]).toEqual([
      405,
      { error: expect.objectContaining({ type: 'invalid_request_error', code: 'method_not_allowed' }) },
    ]);
  });

  const tools = [{ type: 'function' as const, function: { name: 'f', parameters: {} } }];

  test('tools and content parts reach the template', async () => {
    const parts = [
      {
        role: 'user' as const,
        content: [
          { type: 'text' as const, text: 'a' },
          { type: 'text' as const, text: 'b' },
        ],
      },
    ];
    await openai.chat.completions.create({ model, messages: parts, tools, max_tokens: 1 });
    expect(server.model.requests.at(-1)?.prompt).toMatchObject({
      messages: [{ role: 'user', content: 'ab' }],
      templateArguments: { tools },
    });
  });

  test('earlier calls of tools reach the template as they were sent, without members that say nothing', async () => {
    const call = { id: 'c1', type: 'function' as const, function: { name: 'f', arguments: '{"k": 1}' } };
    const earlier = [
      { role: 'user' as const, content: 'go' },
      { role: 'assistant' as const, content: null, refusal: null, tool_calls: [call] },
      { role: 'assistant' as const, tool_calls: [call] },
      { role: 'assistant' as const, content: 'done', tool_calls: [] },
      { role: 'tool' as const, tool_call_id: 'c1', content: 'ok' },
      { role: 'developer' as const, content: 'be brief', name: 'boss' },
    ];
    await openai.chat.completions.create({ model, messages: earlier, max_tokens: 1 });
    expect(server.model.requests.at(-1)?.prompt).toEqual({
      type: 'chat',
      messages: [
        { role: 'user', content: 'go' },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'assistant', content: 'done' },
        { role: 'tool', tool_call_id: 'c1', content: 'ok' },
        { role: 'system', content: 'be brief', name: 'boss' },
      ],
      templateArguments: {},
    });
  });

  const f = { type: 'function', function: { name: 'f' } };
  test.each<[string, object, string, RegExp]>([
    ['required without tools', { tool_choice: 'required' }, 'request_invalid', /only allowed when 'tools'/],
    [
      'of a function without tools',
      { tools: [], tool_choice: f },
      'request_invalid',
      /only allowed when 'tools'/,
    ],
    ['unknown', { tools, tool_choice: 'f' }, 'request_invalid', /must be 'none', 'auto' or 'required'/],
    [
      'of a tool that is none',
      { tools, tool_choice: { type: 'function', function: { name: 'g' } } },
      'request_invalid',
      /names the function 'g', which is not among the tools; use one of f/,
    ],
    ['of another type', { tools, tool_choice: { type: 'custom' } }, 'unsupported', /of type 'custom'/],
  ])('tool_choice %s is refused', async (_, body, code, message) => {
    const error = await openai.chat.completions
      .create({ model, messages, ...body } as never)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      status: 400,
      type: 'invalid_request_error',
      param: 'tool_choice',
      code,
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ['auto', { tools }],
    ['none', {}],
  ] as const)('tool_choice %s decides what the template is given', async (choice, given) => {
    const body = { model, messages, tools, tool_choice: choice, max_tokens: 1 };
    await openai.chat.completions.create(body);
    expect(server.model.requests.at(-1)?.prompt).toHaveProperty('templateArguments', given);
    await openai.chat.completions.create({ model, messages, tool_choice: choice, max_tokens: 1 } as never);
  });

  test.each<[string, object, string]>([
    ['no messages', { messages: [] }, 'messages'],
    ['temperature', { messages, temperature: -1 }, 'temperature'],
    ['guided_json', { messages, guided_json: 3 }, 'guided_json'],
    ['format', { messages, response_format: { type: 'xml' } }, 'response_format'],
    ['name of two tools', { messages, tools: [...tools, ...tools] }, 'tools.1.function.name'],
    [
      'name of a tool',
      { messages, tools: [{ type: 'function', function: { name: 'a b' } }] },
      'tools.0.function.name',
    ],
    ['tool without a function', { messages, tools: [{ type: 'function' }] }, 'tools.0.function'],
    ['type of a tool', { messages, tools: [{ type: 'web_search' }] }, 'tools.0.type'],
    ['top_logprobs alone', { messages, top_logprobs: 2 }, 'top_logprobs'],
    ['images', { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, 'messages.0.content'],
  ])('a wrong %s names its member', async (_, body, param) => {
    const error = await openai.chat.completions
      .create({ model, ...body } as never)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error', param });
  });

  test('aborting frees the request', async () => {
    const controller = new AbortController();
    const endless = [{ role: 'user' as const, content: ENDLESS_PROMPT }];
    const stream = await openai.chat.completions.create(
      { model, messages: endless, stream: true, max_tokens: 2000 },
      { signal: controller.signal },
    );
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    controller.abort();
    await until(() => server.model.runningCount === 0);
  });
});

describe('completions', () => {
  test('several prompts, n and echo', async () => {
    const answer = await openai.completions.create({
      model,
      prompt: ['a', 'b'],
      n: 2,
      max_tokens: 100,
      echo: true,
    });
    expect(answer.choices.map((choice) => [choice.index, choice.text])).toEqual([
      [0, 'a echo of a'],
      [1, 'a echo of a'],
      [2, 'b echo of b'],
      [3, 'b echo of b'],
    ]);
    expect(answer.usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 40, total_tokens: 44 });
  });

  test('token prompts, default length', async () => {
    const answer = await openai.completions.create({
      model,
      prompt: [100, 101, 102, 103, 104, 105, 106, 107],
    });
    expect(answer.choices[0]).toMatchObject({ text: ' echo of abcdefg', finish_reason: 'length' });
  });

  test('echo with log probabilities covers the prompt', async () => {
    const answer = await openai.completions.create({
      model,
      prompt: 'ab',
      max_tokens: 2,
      echo: true,
      logprobs: 1,
    });
    const logprobs = answer.choices[0]?.logprobs;
    expect(logprobs?.tokens).toEqual(['<s>', 'a', 'b', ' ', 'e']);
    expect(logprobs?.token_logprobs?.[0]).toBeNull();
    expect(logprobs?.text_offset).toEqual([0, 3, 4, 5, 6]);
  });

  test('streaming ends with [DONE]', async () => {
    const response = await fetch(`${server.httpUrl}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ model, prompt: 'a', max_tokens: 3, stream: true }),
    });
    expect((await response.text()).endsWith('data: [DONE]\n\n')).toBe(true);
  });

  test('errors: model, prompt, early failure of a stream', async () => {
    await expect(openai.completions.create({ model: 'nope', prompt: 'a' })).rejects.toMatchObject({
      status: 404,
    });
    await expect(
      openai.completions.create({ model, prompt: 'x'.repeat(9000), stream: true }),
    ).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'prompt' });
  });
});

test('a failure in the middle of a stream is an error event', async () => {
  const error = new AloftError('RANK_DIED', 'Rank 1 ended.');
  const failing = await startTestServer({ script: { failAfter: { tokenCount: 3, error }, tokenMs: 5 } });
  const client = new OpenAI({ baseURL: `${failing.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
  try {
    const stream = await client.completions.create({ model, prompt: 'a', max_tokens: 9, stream: true });
    let text = '';
    const read = async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.text ?? '';
    };
    await expect(read()).rejects.toThrow(/Rank 1 ended/);
    expect(text.length).toBeGreaterThan(0);
  } finally {
    await failing.close();
  }
});
