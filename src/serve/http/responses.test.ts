/** OpenAI's Responses interface, by its own client, unmodified. */
import OpenAI, { APIError } from 'openai';
import type { ResponseInputItem, ResponseStreamEvent } from 'openai/resources/responses/responses';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.js';
import { WEATHER_ARGUMENTS, WEATHER_MODEL } from '../testing/weather-script.js';
import { ResponseStore } from './response-store.js';

const model = 'ensemble';
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const tools = [{ type: 'function' as const, name: 'weather', description: 'd', parameters, strict: false }];
const CALL = WEATHER_ARGUMENTS;
const script = {
  ...WEATHER_MODEL,
  answer: (prompt: string) => (prompt.includes('JSON') ? '{"ok": true}' : WEATHER_MODEL.answer(prompt)),
};

let server: TestServer;
let openai: OpenAI;
beforeAll(async () => {
  server = await startTestServer({ script, options: { apiKeys: ['secret', 'other'] } });
  openai = clientOf('secret');
});
afterAll(() => server.close());

function clientOf(apiKey: string): OpenAI {
  return new OpenAI({ baseURL: `${server.httpUrl}/v1`, apiKey, maxRetries: 0 });
}

type Body = Omit<OpenAI.Responses.ResponseCreateParamsNonStreaming, 'model' | 'stream'>;

/** Members that differ from answer to answer, and those that the client adds. */
const OWN = new Set(['id', 'call_id', 'parsed', 'parsed_arguments']);

const comparable = ({ status, output, output_text, usage, incomplete_details }: OpenAI.Responses.Response) =>
  JSON.parse(
    JSON.stringify({ status, output, output_text, usage, incomplete_details }, (key, value: unknown) =>
      OWN.has(key) ? undefined : value,
    ),
  ) as unknown;

/** The answer as a whole, and as the client's own accumulator puts the events of a stream together. */
async function bothOf(body: Body) {
  const whole = await openai.responses.create({ model, max_output_tokens: 500, ...body });
  const events: ResponseStreamEvent[] = [];
  const stream = await openai.responses.create({ model, max_output_tokens: 500, ...body, stream: true });
  for await (const event of stream) events.push(event);
  const last = events.at(-1);
  if (last?.type !== 'response.completed' && last?.type !== 'response.incomplete')
    throw new Error(`The last event is ${last?.type}.`);
  const final = await openai.responses.stream({ model, max_output_tokens: 500, ...body }).finalResponse();
  expect(comparable(final)).toEqual(comparable(whole));
  expect(events.map(({ sequence_number: number }) => number)).toEqual(events.map((_, i) => i));
  checkDeltas(events, last.response);
  return { whole, events };
}

/** The deltas of every item add up to the item of the last event. */
function checkDeltas(events: readonly ResponseStreamEvent[], { output }: OpenAI.Responses.Response): void {
  const sums = new Map<number, string>();
  for (const event of events)
    if ('delta' in event && 'output_index' in event)
      sums.set(event.output_index, (sums.get(event.output_index) ?? '') + event.delta);
  for (const [i, item] of output.entries()) {
    if (item.type === 'function_call') expect(sums.get(i)).toBe(item.arguments);
    else if (item.type === 'message' || item.type === 'reasoning')
      expect(sums.get(i)).toBe(item.content?.map((part) => ('text' in part ? part.text : '')).join(''));
  }
}

describe('responses', () => {
  test('text, with instructions and usage', async () => {
    const { whole } = await bothOf({ instructions: 'Be brief.', input: 'Hi 😀', metadata: { a: 'b' } });
    expect(whole).toMatchObject({
      id: expect.stringMatching(/^resp_[0-9a-f]{32}$/) as string,
      object: 'response',
      status: 'completed',
      error: null,
      incomplete_details: null,
      instructions: 'Be brief.',
      metadata: { a: 'b' },
      model,
      output_text: ' echo of system: Be brief.\nuser: Hi 😀\n',
      parallel_tool_calls: true,
      tool_choice: 'auto',
      tools: [],
      output: [{ type: 'message', role: 'assistant', status: 'completed' }],
    });
    expect(whole.usage!.total_tokens).toBe(whole.usage!.input_tokens + whole.usage!.output_tokens);
  });

  test('a stream has the events of the interface, in their order', async () => {
    const { events, whole } = await bothOf({ input: 'think' });
    const thoughtTokens = Buffer.byteLength('<think>\nHm 😀.\n</think>');
    expect(whole.usage!.output_tokens_details).toEqual({ reasoning_tokens: thoughtTokens });
    const types = events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]);
    const item = (kind: string) => [
      'response.output_item.added',
      'response.content_part.added',
      `response.${kind}.delta`,
      `response.${kind}.done`,
      'response.content_part.done',
      'response.output_item.done',
    ];
    expect(types).toEqual([
      'response.created',
      'response.in_progress',
      ...item('reasoning_text'),
      ...item('output_text'),
      'response.completed',
    ]);
  });

  test('a cut answer is incomplete', async () => {
    const { whole } = await bothOf({ input: 'Hello', max_output_tokens: 4 });
    expect([whole.status, whole.incomplete_details, whole.output_text]).toEqual([
      'incomplete',
      { reason: 'max_output_tokens' },
      ' ech',
    ]);
  });

  test('items of all kinds reach the template', async () => {
    const input: ResponseInputItem[] = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'input_text', text: 'Weather?' }] },
      { type: 'reasoning', id: 'r', summary: [], content: [{ type: 'reasoning_text', text: 'Hm.' }] },
      { role: 'assistant', content: 'Let me see.' },
      { type: 'function_call', call_id: 'c1', name: 'weather', arguments: CALL },
      { type: 'function_call_output', call_id: 'c1', output: 'sunny' },
    ];
    const { whole } = await bothOf({ instructions: 'You are.', input, tools });
    expect(whole.output_text).toBe('It is sunny 😀.');
    const call = { id: 'c1', type: 'function', function: { name: 'weather', arguments: CALL } };
    expect(server.model.requests.at(-1)!.prompt).toMatchObject({
      messages: [
        { role: 'system', content: 'You are.\n\nBe brief.' },
        { role: 'user', content: 'Weather?' },
        { role: 'assistant', content: 'Let me see.', reasoning_content: 'Hm.', tool_calls: [call] },
        { role: 'tool', tool_call_id: 'c1', content: 'sunny' },
      ],
      templateArguments: { tools: [{ type: 'function', function: { name: 'weather', parameters } }] },
    });
  });

  test('text.format, reasoning and sampling reach the engine', async () => {
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } } };
    const format = { type: 'json_schema' as const, name: 'x', schema, strict: true };
    const body = { model, input: 'JSON', max_output_tokens: 50, text: { format } };
    const answer = await openai.responses.parse({
      ...body,
      temperature: 0.5,
      top_p: 0.9,
      reasoning: { effort: 'low' },
    });
    expect(answer.output_parsed).toEqual({ ok: true });
    const { temperature, topP, prompt, course } = server.model.requests.at(-1)!;
    expect([temperature, topP]).toEqual([0.5, 0.9]);
    expect(prompt).toMatchObject({ templateArguments: { reasoning_effort: 'low' } });
    expect(JSON.stringify(course)).toContain(JSON.stringify(schema));
  });
});

describe('tools', () => {
  test('are called, in parallel, behind text, and their outputs sent back', async () => {
    const { whole } = await bothOf({ input: 'Weather?', tools });
    const call = { type: 'function_call', name: 'weather', arguments: CALL, status: 'completed' };
    expect(whole.output).toMatchObject([{ type: 'message', status: 'completed' }, call, call]);
    const outputs = whole.output.flatMap((item) =>
      item.type === 'function_call'
        ? [{ type: 'function_call_output' as const, call_id: item.call_id, output: 'sunny' }]
        : [],
    );
    const { whole: next } = await bothOf({ previous_response_id: whole.id, input: outputs, tools });
    expect(next.output_text).toBe('It is sunny 😀.');
    expect(next.previous_response_id).toBe(whole.id);
    const calls = outputs.map(({ call_id: id }) => ({ id, function: { name: 'weather' } }));
    expect(server.model.requests.at(-1)!.prompt).toMatchObject({
      messages: [
        { role: 'user', content: 'Weather?' },
        { role: 'assistant', content: 'Let me see.', tool_calls: calls },
        ...calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'sunny' })),
      ],
    });
  });

  test.each([
    ['required' as const, 'weather'],
    [{ type: 'function' as const, name: 'weather' }, 'weather'],
  ])('tool_choice %j is held to', async (tool_choice, part) => {
    await openai.responses.create({ model, input: 'Weather?', tools, tool_choice, max_output_tokens: 500 });
    expect(JSON.stringify(server.model.requests.at(-1)!.course)).toContain(part);
  });

  test('a call that is cut is incomplete', async () => {
    const { whole } = await bothOf({ input: 'Weather?', tools, max_output_tokens: 70 });
    expect(whole.output.at(-1)).toMatchObject({ type: 'function_call', status: 'incomplete' });
  });
});

describe('stored responses', () => {
  test('go on, without the instructions of before, and can be read and deleted', async () => {
    const first = await openai.responses.create({ model, instructions: 'One.', input: 'A' });
    const second = await openai.responses.create({ model, input: 'B', previous_response_id: first.id });
    expect(server.model.requests.at(-1)!.prompt).toMatchObject({
      messages: [
        { role: 'user', content: 'A' },
        { role: 'assistant', content: first.output_text },
        { role: 'user', content: 'B' },
      ],
    });
    const read = await openai.responses.retrieve(second.id);
    expect(read.output).toEqual(second.output);
    await openai.responses.delete(second.id);
    await expect(openai.responses.retrieve(second.id)).rejects.toMatchObject({ status: 404 });
  });

  test('have items that a later input may name instead of repeating them', async () => {
    const first = await openai.responses.create({ model, input: 'Weather?', tools, max_output_tokens: 500 });
    const [text, call] = first.output;
    const references = [{ type: 'item_reference', id: text!.id! }, { id: call!.id! }] as ResponseInputItem[];
    const result = { type: 'function_call_output', call_id: 'call_1', output: 'sunny' } as const;
    const input: ResponseInputItem[] = [{ role: 'user', content: 'Weather?' }, ...references, result];
    expect((await openai.responses.create({ model, input, tools })).output_text).toBe('It is sunny 😀.');
    expect(server.model.requests.at(-1)!.prompt).toMatchObject({
      messages: [
        { role: 'user', content: 'Weather?' },
        {
          role: 'assistant',
          content: 'Let me see.',
          tool_calls: [{ function: { name: 'weather', arguments: CALL } }],
        },
        { role: 'tool', content: 'sunny' },
      ],
    });
    const loose = await openai.responses.create({ model, input: 'A', store: false });
    for (const [client, id] of [
      [openai, loose.output[0]!.id!],
      [openai, 'msg_0'],
      [clientOf('other'), text!.id!],
    ] as const) {
      const next = client.responses.create({ model, input: [{ type: 'item_reference', id }] });
      await expect(next).rejects.toMatchObject({ status: 404, code: 'response_not_found' });
    }
    await openai.responses.delete(first.id);
    const gone = openai.responses.create({ model, input: references });
    await expect(gone).rejects.toMatchObject({ status: 404, code: 'response_not_found' });
  });

  test('are not there with store: false, for other keys, or under other ids', async () => {
    const loose = await openai.responses.create({ model, input: 'A', store: false });
    const kept = await openai.responses.create({ model, input: 'A' });
    const other = clientOf('other');
    for (const [client, id] of [
      [openai, loose.id],
      [openai, 'resp_0'],
      [other, kept.id],
    ] as const) {
      const next = client.responses.create({ model, input: 'B', previous_response_id: id });
      await expect(next).rejects.toMatchObject({ status: 404, code: 'response_not_found' });
    }
    await expect(other.responses.delete(kept.id)).rejects.toMatchObject({ status: 404 });
    expect((await openai.responses.retrieve(kept.id)).id).toBe(kept.id);
  });

  test('are dropped beyond the bounds, those that were used longest ago first', () => {
    const store = new ResponseStore({ responseCount: 2, characterCount: 100 });
    const response = { body: {}, messages: [] };
    for (const id of ['a', 'b']) store.add(id, response, undefined);
    store.get('a', undefined);
    store.add('c', response, undefined);
    expect(() => store.get('b', undefined)).toThrow(/no response 'b'/);
    const large = { body: {}, messages: [{ role: 'user', content: 'x'.repeat(60) }] };
    store.add('d', large, undefined);
    store.add('e', large, undefined);
    for (const id of ['a', 'c', 'd']) expect(() => store.get(id, undefined)).toThrow();
    expect(store.get('e', undefined).messages).toEqual(large.messages);
    store.add('f', { body: {}, messages: [{ role: 'user', content: 'x'.repeat(200) }] }, undefined);
    expect(() => store.get('f', undefined)).toThrow();
    expect(() => store.get('e', 'other')).toThrow();
  });
});

describe('bad input', () => {
  test.each<[string, object, string]>([
    ['no input', { input: undefined }, 'input'],
    ['an image', { input: [{ role: 'user', content: [{ type: 'input_image' }] }] }, 'input.0.content.0'],
    ['an item of another kind', { input: [{ type: 'computer_call' }] }, 'input.0'],
    ['a message without role', { input: [{ content: 'x' }] }, 'input.0.role'],
    ['two tools of one name', { tools: [...tools, ...tools] }, 'tools.1.name'],
    ['a tool that the service would run', { tools: [{ type: 'web_search' }] }, 'tools.0.type'],
    ['a choice of no tool', { tools, tool_choice: { type: 'function', name: 'x' } }, 'tool_choice'],
    ['a choice without tools', { tool_choice: 'required' }, 'tool_choice'],
    ['background', { background: true }, 'background'],
    ['two forms', { grammar: 'root ::= "a"', text: { format: { type: 'json_object' } } }, 'text.format'],
    ['a wrong form', { text: { format: { type: 'xml' } } }, 'text.format'],
  ])('%s', async (_, body, param) => {
    const given = { model, input: 'x', ...body } as never;
    const error = await openai.responses.create(given).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error', param });
  });

  test('numbers that no double holds are repeated as they were', async () => {
    const body =
      '{"model": "ensemble", "input": "x", "metadata": {}, "tools": [{"type": "function", "name": "f", "parameters": {"const": 12345678901234567890}}]}';
    const headers = { authorization: 'Bearer secret' };
    const reply = await fetch(`${server.httpUrl}/v1/responses`, { method: 'POST', headers, body });
    expect(await reply.text()).toContain('{"const":12345678901234567890}');
  });

  test('a failure in the middle of a stream is an event', async () => {
    const input = 'x'.repeat(9000);
    await expect(openai.responses.create({ model, input, stream: true })).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      param: 'input',
    });
  });
});
