/** Requests with the members that coding agents send besides those of the interface's description: what is done with each. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.js';
import { WEATHER_MODEL } from '../testing/weather-script.js';

const model = 'ensemble';
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ script: WEATHER_MODEL });
});
afterAll(() => server.close());

async function post(path: string, body: object, headers: Readonly<Record<string, string>> = {}) {
  const reply = await fetch(`${server.httpUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model, ...body }),
  });
  return { status: reply.status, text: await reply.text() };
}

const typesOf = (text: string): string[] => [...text.matchAll(/^event: (.*)$/gm)].map(([, type]) => type!);

describe('a request of Claude Code', () => {
  const headers = {
    'x-api-key': 'none',
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27',
    'anthropic-dangerous-direct-browser-access': 'true',
  };
  const cache_control = { type: 'ephemeral', ttl: '1h' };
  const body = {
    max_tokens: 500,
    stream: true,
    temperature: 1,
    system: [
      { type: 'text', text: 'You are an agent.' },
      { type: 'text', text: 'Be brief.', cache_control },
    ],
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'How is the weather?', cache_control }] },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm.', signature: '' },
          { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Paris' }, cache_control },
        ],
      },
      {
        role: 'user',
        content: [
          {
            type: 'tool_result',
            tool_use_id: 'toolu_1',
            is_error: false,
            content: [{ type: 'text', text: 'sunny' }],
            cache_control,
          },
          { type: 'text', text: '<system-reminder>Go on.</system-reminder>' },
        ],
      },
    ],
    tools: [
      { name: 'weather', description: 'd', input_schema: schema, eager_input_streaming: true, cache_control },
    ],
    metadata: { user_id: 'user_1_account__session_2' },
    thinking: { type: 'adaptive' },
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
    output_config: { effort: 'high' },
    service_tier: 'auto',
  };

  test('is answered, and what reaches the template is there', async () => {
    const { status, text } = await post('/v1/messages?beta=true', body, headers);
    expect(status).toBe(200);
    expect([typesOf(text)[0], typesOf(text).at(-1)]).toEqual(['message_start', 'message_stop']);
    expect(text).toContain('"cache_read_input_tokens":0');
    expect(server.model.requests.at(-1)!.prompt).toMatchObject({
      messages: [
        { role: 'system', content: 'You are an agent.Be brief.' },
        { role: 'user', content: 'How is the weather?' },
        { role: 'assistant', content: null, reasoning_content: 'Hm.', tool_calls: [{ id: 'toolu_1' }] },
        { role: 'tool', content: 'sunny' },
        { role: 'user', content: '<system-reminder>Go on.</system-reminder>' },
      ],
      templateArguments: { enable_thinking: true, reasoning_effort: 'high' },
    });
    const count = await post('/v1/messages/count_tokens?beta=true', body, headers);
    expect(JSON.parse(count.text)).toMatchObject({ input_tokens: expect.any(Number) as number });
  });

  test('shows no thought where it asks for none to be shown', async () => {
    const messages = [{ role: 'user', content: 'think' }];
    const shown = await post('/v1/messages', { ...body, messages }, headers);
    expect(shown.text).toContain('thinking_delta');
    const thinking = { type: 'adaptive', display: 'omitted' };
    const hidden = await post('/v1/messages', { ...body, messages, thinking }, headers);
    expect(hidden.text).not.toContain('thinking_delta');
    expect(hidden.text).toContain('"stop_reason":"end_turn"');
  });

  test.each([
    [
      'an image in the result of a tool',
      { type: 'image', source: {} },
      "'messages.0.content.0.content.0' is of type 'image'",
    ],
    [
      'a document there',
      { type: 'document', source: {} },
      "'messages.0.content.0.content.0' is of type 'document'",
    ],
  ])('with %s is refused with its place', async (_, part, message) => {
    const messages = [
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: [part] }] },
    ];
    const { status, text } = await post('/v1/messages', { ...body, messages }, headers);
    expect(status).toBe(400);
    expect(text).toContain(message);
  });
});

describe('a request of Codex', () => {
  const body = {
    instructions: 'You are an agent.',
    input: [
      { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'Sandbox.' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Weather?' }] },
      { type: 'reasoning', id: 'rs_1', summary: [], content: null, encrypted_content: null },
      {
        type: 'function_call',
        call_id: 'call_1',
        name: 'weather',
        arguments: '{"city": "Paris"}',
        status: 'completed',
      },
      { type: 'function_call_output', call_id: 'call_1', output: 'sunny' },
      { type: 'custom_tool_call', call_id: 'call_2', name: 'apply_patch', input: '+a', status: 'completed' },
      { type: 'custom_tool_call_output', call_id: 'call_2', output: 'done' },
    ],
    tools: [
      { type: 'function', name: 'weather', description: 'd', strict: false, parameters: schema },
      {
        type: 'custom',
        name: 'apply_patch',
        description: 'Edits files.',
        format: { type: 'grammar', syntax: 'lark', definition: 'start: "+" /.+/ LF?\n%import common.LF' },
      },
    ],
    tool_choice: 'auto',
    parallel_tool_calls: false,
    reasoning: { effort: 'medium', summary: 'auto' },
    store: false,
    stream: true,
    include: ['reasoning.encrypted_content'],
    prompt_cache_key: '0199',
    service_tier: 'auto',
    text: { verbosity: 'medium' },
    max_output_tokens: 500,
    client_metadata: { originator: 'codex' },
    safety_identifier: 'user',
  };

  test('is answered, and what reaches the template is there', async () => {
    const { status, text } = await post('/v1/responses', body, {
      session_id: '1',
      originator: 'codex_cli_rs',
    });
    expect(status).toBe(200);
    expect([typesOf(text)[0], typesOf(text).at(-1)]).toEqual(['response.created', 'response.completed']);
    const { prompt, course } = server.model.requests.at(-1)!;
    expect(prompt).toMatchObject({
      messages: [
        { role: 'system', content: 'You are an agent.\n\nSandbox.' },
        { role: 'user', content: 'Weather?' },
        { role: 'assistant', tool_calls: [{ id: 'call_1' }] },
        { role: 'tool', content: 'sunny' },
        { role: 'assistant', tool_calls: [{ id: 'call_2', function: { name: 'apply_patch' } }] },
        { role: 'tool', content: 'done' },
      ],
      templateArguments: { reasoning_effort: 'medium' },
    });
    expect(JSON.stringify(course)).toContain('"tool":"apply_patch"');
    const id = /"id":"(resp_[0-9a-f]+)"/.exec(text)![1]!;
    expect((await fetch(`${server.httpUrl}/v1/responses/${id}`)).status).toBe(404);
  });

  test.each<[string, object, string]>([
    ['a tool of the service', { tools: [{ type: 'web_search' }] }, "'tools.0.type' is 'web_search'"],
    ['a shell of the client', { tools: [{ type: 'local_shell' }] }, "'tools.0.type' is 'local_shell'"],
    ['another verbosity', { text: { verbosity: 'low' } }, "'text.verbosity' is 'low'"],
    ['log probabilities', { include: ['message.output_text.logprobs'] }, 'message.output_text.logprobs'],
    [
      'a compaction',
      { context_management: [{ type: 'compaction' }] },
      "'context_management' is not supported",
    ],
    ['a truncation', { truncation: 'auto' }, "'truncation' is not supported"],
    ['a picture', { input: [{ role: 'user', content: [{ type: 'input_image' }] }] }, 'only text is read'],
  ])('with %s is refused by name', async (_, members, message) => {
    const { status, text } = await post('/v1/responses', { ...body, ...members });
    expect(status).toBe(400);
    expect(text).toContain(message);
  });
});

describe('allowed tools', () => {
  const names = ['weather', 'clock', 'shell'];
  interface Route {
    readonly path: string;
    readonly members: object;
    readonly tool: (name: string) => object;
    readonly choice: (mode: string, allowed: readonly string[]) => object;
  }
  const chat: Route = {
    path: '/v1/chat/completions',
    members: { messages: [{ role: 'user', content: 'Weather?' }], max_tokens: 9 },
    tool: (name) => ({ type: 'function', function: { name, parameters: schema } }),
    choice: (mode, allowed) => ({
      type: 'allowed_tools',
      allowed_tools: { mode, tools: allowed.map((name) => ({ type: 'function', function: { name } })) },
    }),
  };
  const responses: Route = {
    path: '/v1/responses',
    members: { input: 'Weather?', max_output_tokens: 9 },
    tool: (name) => ({ type: 'function', name, parameters: schema }),
    choice: (mode, allowed) => ({
      type: 'allowed_tools',
      mode,
      tools: allowed.map((name) => ({ type: 'function', name })),
    }),
  };

  describe.each([chat, responses])('of $path', ({ path, members, tool, choice }) => {
    const ask = (mode: string, allowed: readonly string[]) =>
      post(path, { ...members, tools: names.map(tool), tool_choice: choice(mode, allowed) });

    test.each(['auto', 'required'])(
      '%s: these alone can be called, and the template is given all',
      async (mode) => {
        const { status } = await ask(mode, ['weather', 'shell']);
        expect(status).toBe(200);
        const { course, prompt } = server.model.requests.at(-1)!;
        const held = JSON.stringify(course);
        expect(names.map((name) => held.includes(`\\"${name}\\"`))).toEqual([true, false, true]);
        expect(JSON.stringify(prompt)).toContain('clock');
      },
    );

    test('all in the mode auto hold the answer to nothing', async () => {
      await ask('auto', names);
      expect(server.model.requests.at(-1)!.course).toBeUndefined();
    });

    test.each([
      ['a name of no tool', 'auto', ['weather', 'sun'], "the function 'sun', which is not among"],
      ['no name', 'required', [], 'allows no tool'],
      ['another mode', 'maybe', ['weather'], "must be 'auto' or 'required'"],
    ])('with %s are refused', async (_, mode, allowed, message) => {
      const { status, text } = await ask(mode, allowed);
      expect(status).toBe(400);
      expect(text).toContain(message);
    });
  });
});
