/** Anthropic's Messages interface, by its own client, unmodified. */
import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENDLESS_PROMPT } from '../testing/scripted-model.js';
import { startTestServer, type TestServer, until } from '../testing/test-server.js';
import { WEATHER_ARGUMENTS, WEATHER_MODEL } from '../testing/weather-script.js';

const model = 'ensemble';
const input_schema = {
  type: 'object' as const,
  properties: { city: { type: 'string' } },
  required: ['city'],
};
const tools = [{ name: 'weather', description: 'd', input_schema }];
const CALL = WEATHER_ARGUMENTS;
const script = WEATHER_MODEL;

let server: TestServer;
let client: Anthropic;
beforeAll(async () => {
  server = await startTestServer({ script, options: { apiKeys: ['secret'] } });
  client = new Anthropic({ baseURL: server.httpUrl, apiKey: 'secret', maxRetries: 0 });
});
afterAll(() => server.close());

const user = (content: Anthropic.MessageParam['content']) => [{ role: 'user' as const, content }];

/** The answer as a whole, and as the client's own accumulator puts the events of a stream together. */
async function bothOf(body: Omit<Anthropic.MessageCreateParamsNonStreaming, 'model'>) {
  const whole = await client.messages.create({ model, ...body });
  const streamed = await client.messages.stream({ model, ...body }).finalMessage();
  // The client adds members of its own to a message that it puts together.
  const comparable = ({
    role,
    model: name,
    content,
    stop_reason,
    stop_sequence,
    usage,
  }: Anthropic.Message) => ({
    ...{ role, name, stop_reason, stop_sequence, usage },
    content: content.map((block) => (block.type === 'tool_use' ? { ...block, id: '' } : block)),
  });
  expect(comparable(streamed)).toEqual(comparable(whole));
  return whole;
}

describe('messages', () => {
  test('text, with system, parts and usage', async () => {
    const system = [
      { type: 'text' as const, text: 'Be brief.', cache_control: { type: 'ephemeral' as const } },
    ];
    const parts = [
      { type: 'text' as const, text: 'Hi ' },
      { type: 'text' as const, text: '😀' },
    ];
    const whole = await bothOf({ system, messages: user(parts), max_tokens: 100 });
    expect(whole).toMatchObject({
      id: expect.stringMatching(/^msg_[0-9a-f]{24}$/) as string,
      type: 'message',
      role: 'assistant',
      model,
      content: [{ type: 'text', text: ' echo of system: Be brief.\nuser: Hi 😀\n' }],
      stop_reason: 'end_turn',
      stop_sequence: null,
    });
    expect(whole.usage.input_tokens).toBeGreaterThan(20);
    expect(whole.usage.output_tokens).toBe(Buffer.byteLength(' echo of system: Be brief.\nuser: Hi 😀\n'));
  });

  test('parameters reach the engine', async () => {
    const sampling = { temperature: 0.5, top_p: 0.9, top_k: 7, stop_sequences: ['x'], max_tokens: 5 };
    await client.messages.create({ model, messages: user('Hi'), ...sampling });
    expect(server.model.requests.at(-1)).toMatchObject({
      temperature: 0.5,
      topP: 0.9,
      topK: 7,
      stop: ['x'],
      maxOutputTokens: 5,
    });
  });

  test('a cut answer says so', async () => {
    const whole = await bothOf({ messages: user('Hello'), max_tokens: 4 });
    expect([whole.stop_reason, whole.content]).toEqual(['max_tokens', [{ type: 'text', text: ' ech' }]]);
  });

  test('a stream has the events of the interface, in their order', async () => {
    const stream = await client.messages.create({
      model,
      messages: user('eather'),
      tools,
      max_tokens: 500,
      stream: true,
    });
    const types: string[] = [];
    for await (const event of stream) if (event.type !== types.at(-1)) types.push(event.type);
    const block = ['content_block_start', 'content_block_delta', 'content_block_stop'];
    expect(types).toEqual(['message_start', ...block, ...block, ...block, 'message_delta', 'message_stop']);
  });

  test('a client that goes away frees the request', async () => {
    const stream = client.messages.stream({ model, messages: user(ENDLESS_PROMPT), max_tokens: 2000 });
    stream.on('text', () => stream.abort());
    await expect(stream.finalMessage()).rejects.toThrow();
    await until(() => server.model.runningCount === 0);
  });

  test('tokens are counted without an answer', async () => {
    const { usage } = await client.messages.create({
      model,
      system: 'Be.',
      messages: user('Hi'),
      max_tokens: 1,
    });
    const requestCount = server.model.requests.length;
    const counted = await client.messages.countTokens({ model, system: 'Be.', messages: user('Hi') });
    expect(counted.input_tokens).toBe(usage.input_tokens);
    expect(server.model.requests).toHaveLength(requestCount);
  });
});

describe('tools', () => {
  test('are called, in parallel, behind text', async () => {
    const whole = await bothOf({ messages: user('Weather?'), tools, max_tokens: 500 });
    expect(whole.stop_reason).toBe('tool_use');
    expect(whole.content).toMatchObject([
      { type: 'text', text: 'Let me see.' },
      {
        type: 'tool_use',
        id: expect.stringMatching(/^toolu_/) as string,
        name: 'weather',
        input: JSON.parse(CALL),
      },
      { type: 'tool_use', name: 'weather', input: JSON.parse(CALL) },
    ]);
    const { prompt, course } = server.model.requests.at(-1)!;
    expect(prompt).toMatchObject({
      templateArguments: {
        tools: [
          { type: 'function', function: { name: 'weather', description: 'd', parameters: input_schema } },
        ],
      },
    });
    expect(JSON.stringify(course)).toContain('json_object');
  });

  test('results and earlier calls reach the template', async () => {
    const messages: Anthropic.MessageParam[] = [
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm.', signature: '' },
          { type: 'text', text: 'Let me see.' },
          { type: 'tool_use', id: 't1', name: 'weather', input: { city: 'Paris' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: 'sunny' }] },
          { type: 'text', text: 'And?' },
        ],
      },
    ];
    const whole = await bothOf({ messages, tools, max_tokens: 500 });
    expect(whole.content).toEqual([{ type: 'text', text: 'It is sunny 😀.' }]);
    const call = { id: 't1', type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } };
    expect(server.model.requests.at(-1)!.prompt).toMatchObject({
      messages: [
        { role: 'user', content: 'Weather?' },
        { role: 'assistant', content: 'Let me see.', reasoning_content: 'Hm.', tool_calls: [call] },
        { role: 'tool', tool_call_id: 't1', content: 'sunny' },
        { role: 'user', content: 'And?' },
      ],
    });
  });

  test.each([
    [{ type: 'any' as const }, '"weather\\"'],
    [{ type: 'tool' as const, name: 'weather' }, '"weather\\"'],
    [{ type: 'auto' as const, disable_parallel_tool_use: true }, 'json_object'],
  ])('tool_choice %j is held to', async (tool_choice, part) => {
    const { content } = await client.messages.create({
      model,
      messages: user('Weather?'),
      tools,
      tool_choice,
      max_tokens: 500,
    });
    expect(content.filter(({ type }) => type === 'tool_use')).toHaveLength(
      'disable_parallel_tool_use' in tool_choice ? 1 : 2,
    );
    expect(JSON.stringify(server.model.requests.at(-1)!.course)).toContain(
      part.replace('"weather\\"', 'weather'),
    );
  });

  test('a call that is cut has no input, so the whole answer is without it', async () => {
    const body = { model, messages: user('Weather?'), tools, max_tokens: 60 };
    const whole = await client.messages.create(body);
    expect([whole.stop_reason, whole.content]).toEqual([
      'max_tokens',
      [{ type: 'text', text: 'Let me see.' }],
    ]);
  });
});

describe('thoughts', () => {
  test('are blocks of their own, with a budget', async () => {
    const thinking = { type: 'enabled' as const, budget_tokens: 1024 };
    const whole = await bothOf({ messages: user('think'), max_tokens: 2000, thinking });
    expect(whole.content).toEqual([
      { type: 'thinking', thinking: 'Hm 😀.', signature: '' },
      { type: 'text', text: 'Done.' },
    ]);
    const { course, prompt } = server.model.requests.at(-1)!;
    expect(JSON.stringify(course)).toContain('"tokens":1024');
    expect(prompt).toMatchObject({ templateArguments: { enable_thinking: true } });
  });

  test('are left out, and switched off by the template, unless they are asked for', async () => {
    const whole = await bothOf({ messages: user('think'), max_tokens: 500 });
    expect(whole.content).toEqual([{ type: 'text', text: 'Done.' }]);
    expect(server.model.requests.at(-1)!.prompt).toMatchObject({
      templateArguments: { enable_thinking: false },
    });
  });
});

describe('bad input', () => {
  const good = { model, messages: user('Hi'), max_tokens: 5 };
  test.each<[string, object, RegExp]>([
    ['no max_tokens', { max_tokens: undefined }, /lacks 'max_tokens'/],
    [
      'an image',
      { messages: user([{ type: 'image' } as never]) },
      /'messages.0.content.0' is of type 'image'/,
    ],
    [
      'two tools of one name',
      { tools: [...tools, ...tools] },
      /'tools.1.name' is 'weather', as of another tool/,
    ],
    [
      'a tool that the service would run',
      { tools: [{ type: 'web_search_20250305', name: 'w' }] },
      /'tools.0.type' is 'web_search/,
    ],
    ['a choice of no tool', { tools, tool_choice: { type: 'tool', name: 'x' } }, /names the function 'x'/],
    ['a choice without tools', { tool_choice: { type: 'any' } }, /only allowed when 'tools'/],
    ['a wrong role', { messages: [{ role: 'robot', content: 'x' }] }, /messages/],
    ['servers', { mcp_servers: [{}] }, /'mcp_servers' is not supported/],
    ['a form of another type', { output_config: { format: { type: 'xml' } } }, /output_config.format/],
  ])('%s', async (_, body, message) => {
    const error = await client.messages
      .create({ ...good, ...body } as never)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({
      status: 400,
      error: { type: 'error', error: { type: 'invalid_request_error' } },
    });
    expect(String(error)).toMatch(message);
  });

  test("wrong key, model, method and route have the interface's own form", async () => {
    const other = new Anthropic({ baseURL: server.httpUrl, apiKey: 'wrong', maxRetries: 0 });
    await expect(other.messages.create(good)).rejects.toMatchObject({
      status: 401,
      error: { error: { type: 'authentication_error' } },
    });
    await expect(client.messages.create({ ...good, model: 'none' })).rejects.toMatchObject({
      status: 404,
      error: { error: { type: 'not_found_error' } },
    });
    await expect(client.get('/v1/messages')).rejects.toMatchObject({ status: 405, error: { type: 'error' } });
    await expect(client.get('/v1/messages/x')).rejects.toMatchObject({
      status: 404,
      error: { type: 'error' },
    });
  });

  test('a prompt that is too long has the words that agents look for', async () => {
    const body = { ...good, messages: user('x'.repeat(9000)) };
    for (const stream of [false, true])
      await expect(client.messages.create({ ...body, stream })).rejects.toThrow(/prompt is too long/);
  });
});
