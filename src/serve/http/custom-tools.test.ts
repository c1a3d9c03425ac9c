/** Custom tools over both of OpenAI's interfaces, with its own client, unmodified. */
import { HumanMessage } from '@langchain/core/messages';
import { ChatOpenAI, customTool } from '@langchain/openai';
import OpenAI from 'openai';
import type { ResponseInputItem, ResponseStreamEvent } from 'openai/resources/responses/responses';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.js';

const model = 'ensemble';
const PATCH_GRAMMAR = `start: "*** Begin Patch" LF line+ "*** End Patch" LF
line: /.+/ LF -> line
%import common.LF`;
const INPUT = '*** Begin Patch\n*** Add File: "a\\b"\n+\u{1f600}\t京\n*** End Patch\n';
const CALL = `<tool_call>\n{"name": "patch", "arguments": ${JSON.stringify({ input: INPUT }).replace('京', '\\u4eac')}}\n</tool_call>`;
const CLOCK = '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>';

const grammar = { syntax: 'lark' as const, definition: PATCH_GRAMMAR };
const CHAT_TOOLS: OpenAI.ChatCompletionTool[] = [
  {
    type: 'custom',
    custom: { name: 'patch', description: 'Edits files.', format: { type: 'grammar', grammar } },
  },
  { type: 'function', function: { name: 'clock' } },
  { type: 'custom', custom: { name: 'say' } },
];
const RESPONSES_TOOLS: OpenAI.Responses.Tool[] = [
  { type: 'custom', name: 'patch', description: 'Edits files.', format: { type: 'grammar', ...grammar } },
  { type: 'function', name: 'clock', parameters: {}, strict: false },
  { type: 'custom', name: 'say', format: { type: 'text' } },
];

const script = {
  answer: (prompt: string) => (prompt.includes('tool: ') ? 'Done.' : `Let me see.\n${CALL}\n${CLOCK}`),
  card: { callFormat: 'hermes' },
};

let server: TestServer;
/** Writes slowly enough that a stream has many pieces. */
let slow: TestServer;
let openai: OpenAI;
let slowOpenai: OpenAI;
beforeAll(async () => {
  server = await startTestServer({ script });
  slow = await startTestServer({ script: { ...script, tokenMs: 1 } });
  const clientOf = ({ httpUrl }: TestServer): OpenAI =>
    new OpenAI({ baseURL: `${httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
  openai = clientOf(server);
  slowOpenai = clientOf(slow);
});
afterAll(async () => {
  await server.close();
  await slow.close();
});

const lastRequest = () => server.model.requests.at(-1)!;
const courseText = (): string => JSON.stringify(lastRequest().course);

interface ShownTool {
  readonly type: string;
  readonly function: { readonly name: string; readonly description?: string; readonly parameters?: unknown };
}

function shownTools(): readonly ShownTool[] {
  const { prompt } = lastRequest();
  if (prompt.type !== 'chat') throw new Error('The prompt is no chat.');
  return prompt.templateArguments['tools'] as readonly ShownTool[];
}

function checkShownTools(): void {
  const [patch, clock, say] = shownTools();
  expect([patch, clock, say].map((tool) => [tool!.type, tool!.function.name])).toEqual([
    ['function', 'patch'],
    ['function', 'clock'],
    ['function', 'say'],
  ]);
  expect(patch!.function.description).toBe('Edits files.');
  expect(patch!.function.parameters).toMatchObject({
    type: 'object',
    properties: { input: { type: 'string', description: expect.stringContaining(PATCH_GRAMMAR) as string } },
    required: ['input'],
  });
}

describe('chat completions', () => {
  const messages = [{ role: 'user' as const, content: 'Edit.' }];
  const body = { model, messages, tools: CHAT_TOOLS, max_tokens: 500 };

  test('an answer has the call with its input, and the model is shown a function', async () => {
    const [choice] = (await openai.chat.completions.create(body)).choices;
    expect(choice).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'Let me see.' } });
    expect(choice!.message.tool_calls).toEqual([
      {
        id: expect.stringMatching(/^call_/) as string,
        type: 'custom',
        custom: { name: 'patch', input: INPUT },
      },
      { id: expect.any(String) as string, type: 'function', function: { name: 'clock', arguments: '{}' } },
    ]);
    checkShownTools();
  });

  test('the deltas of a stream add up', async () => {
    const stream = await slowOpenai.chat.completions.create({ ...body, stream: true });
    const calls: { id: string; type: string; name: string; text: string }[] = [];
    let deltaCount = 0;
    for await (const { choices } of stream) {
      for (const delta of choices[0]?.delta.tool_calls ?? []) {
        const {
          id = '',
          type,
          custom,
          function: called,
        } = delta as typeof delta & {
          readonly custom?: { readonly name?: string; readonly input?: string };
        };
        const call = (calls[delta.index] ??= { id: '', type: '', name: '', text: '' });
        call.id += id;
        call.type += type ?? '';
        call.name += custom?.name ?? called?.name ?? '';
        call.text += custom?.input ?? called?.arguments ?? '';
        if (custom?.input) deltaCount++;
      }
    }
    const found = calls.map(({ type, name, text }) => [type, name, text]);
    expect(found).toEqual([
      ['custom', 'patch', INPUT],
      ['function', 'clock', '{}'],
    ]);
    expect(deltaCount).toBeGreaterThan(5);
  });

  test('earlier calls and their results reach the template as those of a function', async () => {
    const call = { id: 'c1', type: 'custom' as const, custom: { name: 'patch', input: INPUT } };
    const history: OpenAI.ChatCompletionMessageParam[] = [
      ...messages,
      { role: 'assistant', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: 'ok' },
    ];
    const [choice] = (await openai.chat.completions.create({ ...body, messages: history })).choices;
    expect(choice!.message.content).toBe('Done.');
    const called = { name: 'patch', arguments: JSON.stringify({ input: INPUT }) };
    expect(lastRequest().prompt).toMatchObject({
      messages: [
        { role: 'user' },
        { role: 'assistant', tool_calls: [{ id: 'c1', type: 'function', function: called }] },
        { role: 'tool', tool_call_id: 'c1', content: 'ok' },
      ],
    });
  });

  test('calls are held to the format, whichever tools may or must be called', async () => {
    const held = async (choice: OpenAI.ChatCompletionToolChoiceOption): Promise<string> => {
      await openai.chat.completions.create({ ...body, tool_choice: choice });
      return courseText();
    };
    const named = await held({ type: 'custom', custom: { name: 'say' } });
    expect(named).toContain('"tool":"say"');
    expect(named).not.toMatch(/patch|clock/);
    const format = JSON.stringify({ type: 'grammar', grammar: PATCH_GRAMMAR });
    for (const choice of ['auto', 'required'] as const) {
      const course = await held(choice);
      expect(course).toContain(`"tool":"patch","form":${format}`);
      expect(course).toMatch(/"tool":"say".*clock|clock.*"tool":"say"/);
    }
    const tools = [{ type: 'custom', custom: { name: 'patch' } }];
    const allowed = await held({ type: 'allowed_tools', allowed_tools: { mode: 'required', tools } });
    expect(allowed).toContain('"tool":"patch"');
    expect(allowed).not.toMatch(/say|clock/);
    expect(shownTools()).toHaveLength(3);
  });

  const custom = (members: object) => ({ tools: [{ type: 'custom', custom: { name: 'f', ...members } }] });
  const formatOf = (of: object) => custom({ format: { type: 'grammar', grammar: of } });
  test.each<[string, object, string, RegExp]>([
    ['nothing', { tools: [{ type: 'custom' }] }, 'tools.0.custom', /lacks 'custom'/],
    ['a name with a space', custom({ name: 'a b' }), 'tools.0.custom.name', /pattern/],
    [
      'another format',
      custom({ format: { type: 'xml' } }),
      'tools.0.custom.format.type',
      /'text' or 'grammar'/,
    ],
    [
      'no grammar',
      custom({ format: { type: 'grammar' } }),
      'tools.0.custom.format.grammar.syntax',
      /is missing, but must be 'lark' or 'regex'/,
    ],
    ['another syntax', formatOf({ syntax: 'gbnf' }), 'tools.0.custom.format.grammar.syntax', /is 'gbnf'/],
    [
      'no definition',
      formatOf({ syntax: 'lark' }),
      'tools.0.custom.format.grammar.definition',
      /Lark grammar/,
    ],
    ['a name twice', { tools: [CHAT_TOOLS[0], CHAT_TOOLS[0]] }, 'tools.1.custom.name', /as of another tool/],
    [
      'a choice of a function that is a custom tool',
      { tools: CHAT_TOOLS, tool_choice: { type: 'function', function: { name: 'say' } } },
      'tool_choice',
      /names the function 'say'.*use one of clock/,
    ],
    [
      'a choice of a custom tool that is a function',
      { tools: [CHAT_TOOLS[1]], tool_choice: { type: 'custom', custom: { name: 'clock' } } },
      'tool_choice',
      /names the custom tool 'clock'.*there is no custom tool/,
    ],
    [
      'an earlier call without an input',
      { messages: [{ role: 'assistant', tool_calls: [{ type: 'custom', custom: { name: 'f' } }] }] },
      'messages.0.tool_calls.0.custom',
      /lacks 'input'/,
    ],
  ])('%s is refused with its place', async (_, members, param, message) => {
    const error = await openai.chat.completions
      .create({ model, messages, max_tokens: 5, ...members } as never)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 400, param, message: expect.stringMatching(message) as string });
  });
});

describe('responses', () => {
  const body = { model, input: 'Edit.', tools: RESPONSES_TOOLS, max_output_tokens: 500 };
  const item = { type: 'custom_tool_call', status: 'completed', name: 'patch', input: INPUT };

  test('an answer has the call with its input, and goes on when its output comes', async () => {
    const first = await openai.responses.create(body);
    expect(first.output).toMatchObject([{ type: 'message' }, item, { type: 'function_call', name: 'clock' }]);
    expect(first.tools).toEqual(RESPONSES_TOOLS);
    checkShownTools();
    const call = first.output[1] as OpenAI.Responses.ResponseCustomToolCall;
    expect([call.id, call.call_id]).toEqual([
      expect.stringMatching(/^ctc_/),
      expect.stringMatching(/^call_/),
    ]);
    const output: ResponseInputItem[] = [
      {
        type: 'custom_tool_call_output',
        call_id: call.call_id,
        output: [{ type: 'input_text', text: 'ok' }],
      },
    ];
    const continued = { ...body, input: output, previous_response_id: first.id };
    const sent = { ...body, input: [{ role: 'user' as const, content: 'Edit.' }, call, ...output] };
    const named = { ...body, input: [{ type: 'item_reference' as const, id: call.id! }, ...output] };
    for (const next of [continued, sent, named]) {
      expect((await openai.responses.create(next)).output_text).toBe('Done.');
      const called = { name: 'patch', arguments: JSON.stringify({ input: INPUT }) };
      const { prompt } = lastRequest();
      const messages = prompt.type === 'chat' ? prompt.messages.slice(-2) : [];
      expect(messages).toMatchObject([
        {
          role: 'assistant',
          tool_calls: [
            { id: call.call_id, type: 'function', function: called },
            ...(next === continued ? [{}] : []),
          ],
        },
        { role: 'tool', tool_call_id: call.call_id, content: 'ok' },
      ]);
    }
  });

  test('a stream has the events of the interface, and its deltas add up', async () => {
    const events: ResponseStreamEvent[] = [];
    for await (const event of await slowOpenai.responses.create({ ...body, stream: true }))
      events.push(event);
    const ofCall = events.filter((event) => 'output_index' in event && event.output_index === 1);
    const types = ofCall.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]);
    expect(types).toEqual([
      'response.output_item.added',
      'response.custom_tool_call_input.delta',
      'response.custom_tool_call_input.done',
      'response.output_item.done',
    ]);
    expect(ofCall[0]).toMatchObject({ item: { ...item, status: 'in_progress', input: '' } });
    expect(ofCall.at(-2)).toMatchObject({ input: INPUT });
    expect(ofCall.at(-1)).toMatchObject({ item });
    const deltas = ofCall.flatMap((event) =>
      event.type === 'response.custom_tool_call_input.delta' ? [event.delta] : [],
    );
    expect(deltas.length).toBeGreaterThan(5);
    expect(deltas.join('')).toBe(INPUT);
    const final = await openai.responses.stream(body).finalResponse();
    expect(final.output[1]).toMatchObject(item);
  });

  test('a call that is cut has what was written of its input', async () => {
    const cut = await openai.responses.create({ ...body, max_output_tokens: 75 });
    expect([cut.status, cut.output.length]).toEqual(['incomplete', 2]);
    const call = cut.output[1] as OpenAI.Responses.ResponseCustomToolCallItem;
    expect(call.status).toBe('incomplete');
    expect(call.input.length).toBeGreaterThan(0);
    expect(INPUT.startsWith(call.input)).toBe(true);
  });

  test('calls are held to the format, whichever tools may or must be called', async () => {
    const held = async (choice: OpenAI.Responses.ToolChoiceAllowed | OpenAI.Responses.ToolChoiceCustom) => {
      await openai.responses.create({ ...body, tool_choice: choice });
      return courseText();
    };
    const named = await held({ type: 'custom', name: 'patch' });
    expect(named).toContain('"tool":"patch"');
    expect(named).not.toMatch(/say|clock/);
    const tools = [
      { type: 'custom', name: 'say' },
      { type: 'function', name: 'clock' },
    ];
    const allowed = await held({ type: 'allowed_tools', mode: 'auto', tools });
    expect(allowed).toContain('"tool":"say"');
    expect(allowed).not.toContain('patch');
  });

  const tool = (members: object) => ({ tools: [{ type: 'custom', name: 'f', ...members }] });
  test.each<[string, object, string, RegExp]>([
    ['no name', { tools: [{ type: 'custom' }] }, 'tools.0.name', /lacks 'name'/],
    ['another format', tool({ format: { type: 'json' } }), 'tools.0.format.type', /'text' or 'grammar'/],
    ['no syntax', tool({ format: { type: 'grammar' } }), 'tools.0.format.syntax', /'lark' or 'regex'/],
    [
      'no definition',
      tool({ format: { type: 'grammar', syntax: 'regex', definition: '' } }),
      'tools.0.format.definition',
      /a regular expression/,
    ],
    [
      'a choice of another tool',
      { ...tool({}), tool_choice: { type: 'custom', name: 'g' } },
      'tool_choice',
      /names the custom tool 'g'.*use one of f/,
    ],
    [
      'an earlier call without an input',
      { input: [{ type: 'custom_tool_call', call_id: 'c', name: 'f' }] },
      'input.0.input',
      /lacks 'input'/,
    ],
    [
      'an output that is a picture',
      { input: [{ type: 'custom_tool_call_output', call_id: 'c', output: [{ type: 'input_image' }] }] },
      'input.0.output.0',
      /only text is read/,
    ],
  ])('%s is refused with its place', async (_, members, param, message) => {
    const error = await openai.responses
      .create({ model, input: 'Edit.', ...members } as never)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 400, param, message: expect.stringMatching(message) as string });
  });
});

test('LangChain runs a custom tool and hands its output back', async () => {
  const inputs: string[] = [];
  const run = (input: string): string => {
    inputs.push(input);
    return 'ok';
  };
  const patch = customTool(run, { name: 'patch', format: { type: 'grammar', ...grammar } });
  const chat = new ChatOpenAI({
    model,
    apiKey: 'none',
    maxRetries: 0,
    maxTokens: 500,
    useResponsesApi: true,
    configuration: { baseURL: `${server.httpUrl}/v1` },
  }).bindTools([patch, RESPONSES_TOOLS[1]!]);
  const question = new HumanMessage('Edit.');
  const answer = await chat.invoke([question]);
  const calls = answer.tool_calls ?? [];
  expect(calls.map(({ name }) => name)).toEqual(['patch', 'clock']);
  const output: unknown = await patch.invoke(calls[0] as never);
  expect(inputs).toEqual([INPUT]);
  const { text } = await chat.invoke([question, answer, output as HumanMessage]);
  expect(text).toBe('Done.');
});

test.each(['/v1/chat/completions', '/v1/responses'])('the description of %s has formats', async (path) => {
  const description = (await (await fetch(`${server.httpUrl}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, object>>;
  };
  const text = JSON.stringify(description.paths[path]);
  for (const part of ['text or grammar', 'lark or regex', '"definition"']) expect(text).toContain(part);
});
