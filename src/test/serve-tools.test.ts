/** Calls and thoughts that the real engine is held to: the demo model knows of neither. */
import Anthropic from '@anthropic-ai/sdk';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateObject, jsonSchema } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDemoServer, type DemoServer } from './demo-server.js';

const model = 'ensemble';
const messages = [{ role: 'user' as const, content: 'Add two numbers.' }];
const parameters = {
  type: 'object',
  properties: { a: { type: 'integer', minimum: 0, maximum: 9 }, unit: { enum: ['m', 'km'] } },
  required: ['a', 'unit'],
  additionalProperties: false,
};
const tools = ['add', 'multiply'].map((name) => ({
  type: 'function' as const,
  function: { name, parameters },
}));

/** The model may begin a thought, which it would not end by itself. */
const THOUGHT = { thinking_token_budget: 4 };

let demo: DemoServer;
let openai: OpenAI;
beforeAll(async () => {
  demo = await startDemoServer({ serve: { reasoningParser: 'think' } });
  openai = new OpenAI({ baseURL: `${demo.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => demo.close());

function expectValid(call: OpenAI.ChatCompletionMessageToolCall | undefined): void {
  if (call?.type !== 'function') throw new Error('there is no call of a function');
  expect(['add', 'multiply']).toContain(call.function.name);
  const value = JSON.parse(call.function.arguments) as { a: number; unit: string };
  expect(Object.keys(value)).toEqual(['a', 'unit']);
  expect(Number.isInteger(value.a) && value.a >= 0 && value.a <= 9).toBe(true);
  expect(['m', 'km']).toContain(value.unit);
}

describe('calls', () => {
  test('that are required are there, with valid arguments, for each of several answers', async () => {
    const body = { model, messages, tools, temperature: 1.5, n: 4, max_tokens: 200, seed: 3 };
    const choice = { tool_choice: 'required', parallel_tool_calls: false, ...THOUGHT } as const;
    const { choices } = await openai.chat.completions.create({ ...body, ...choice });
    expect(choices).toHaveLength(4);
    for (const { message, finish_reason: finish } of choices) {
      expect([message.content, finish]).toEqual([null, 'tool_calls']);
      expect(message.tool_calls).toHaveLength(1);
      expectValid(message.tool_calls?.[0]);
    }
  });

  test('of one tool, streamed: the arguments add up', async () => {
    const stream = await openai.chat.completions.create({
      model,
      messages,
      tools,
      temperature: 1.5,
      max_tokens: 200,
      stream: true,
      tool_choice: { type: 'function', function: { name: 'multiply' } },
      parallel_tool_calls: false,
      ...THOUGHT,
    });
    let args = '';
    const names: string[] = [];
    let finish: string | null = null;
    for await (const { choices } of stream) {
      const [call] = choices[0]?.delta.tool_calls ?? [];
      if (call?.function?.name) names.push(call.function.name);
      args += call?.function?.arguments ?? '';
      finish = choices[0]?.finish_reason ?? finish;
    }
    expect([names, finish]).toEqual([['multiply'], 'tool_calls']);
    expectValid({ id: '', type: 'function', function: { name: 'multiply', arguments: args } });
  });

  const refusal = async (given: object) => {
    const described = { type: 'function' as const, function: { name: 'f', parameters: given } };
    const body = { model, messages, tools: [...tools, described], tool_choice: 'required' as const };
    return await openai.chat.completions
      .create({ ...body, max_tokens: 200 } as never)
      .catch((thrown: unknown) => thrown);
  };

  test('of a tool whose schema is not supported are refused, with the tool and the keyword', async () => {
    expect(await refusal({ contains: {} })).toMatchObject({
      status: 400,
      message: expect.stringMatching(/The schema of the tool 'f' is refused: .* #\/contains: /) as string,
    });
  });

  test.each([[{ type: 'string' }], [{ type: ['array', 'null'] }]])(
    'of a tool whose arguments are no object are refused: %j',
    async (given) => {
      expect(await refusal(given)).toMatchObject({
        status: 400,
        message: expect.stringContaining("The schema of the tool 'f' is refused: its type is") as string,
      });
    },
  );

  test('have an object where the schema allows other values as well', async () => {
    const loose = { type: ['object', 'string'], properties: {}, additionalProperties: false };
    const body = { model, messages, temperature: 1.5, n: 8, max_tokens: 200, seed: 5, ...THOUGHT };
    const { choices } = await openai.chat.completions.create({
      ...body,
      tools: [{ type: 'function', function: { name: 'f', parameters: loose } }],
      tool_choice: 'required',
      parallel_tool_calls: false,
    });
    for (const { message } of choices) {
      const [call] = message.tool_calls ?? [];
      expect(call?.type === 'function' && (JSON.parse(call.function.arguments) as unknown)).toEqual({});
    }
  });
});

describe('a thought', () => {
  const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] };
  const format = {
    type: 'json_schema' as const,
    json_schema: { name: 'x', schema: { ...schema, additionalProperties: false } },
  };

  test('that the prompt has begun ends within its budget, and the answer has its form', async () => {
    const open = [
      { role: 'user' as const, content: 'Is it?' },
      { role: 'assistant' as const, content: '<think>' },
    ];
    const begun = { chat_template_kwargs: { add_generation_prompt: false } };
    const body = {
      model,
      messages: open,
      response_format: format,
      max_tokens: 100,
      thinking_token_budget: 6,
    };
    const { choices, usage } = await openai.chat.completions.create({ ...body, ...begun } as never);
    const [choice] = choices;
    expect(choice?.finish_reason).toBe('stop');
    expect(JSON.parse(choice!.message.content!)).toEqual({ ok: expect.any(Boolean) as boolean });
    expect(usage!.completion_tokens).toBeLessThan(90);
  });

  test('may be left out', async () => {
    const body = { model, messages, response_format: format, max_tokens: 100, temperature: 0 };
    const [choice] = (await openai.chat.completions.create(body)).choices;
    expect(JSON.parse(choice!.message.content!)).toEqual({ ok: expect.any(Boolean) as boolean });
  });
});

describe('other clients and interfaces', () => {
  let plain: DemoServer;
  let client: OpenAI;
  beforeAll(async () => {
    plain = await startDemoServer();
    client = new OpenAI({ baseURL: `${plain.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => plain.close());

  const schema = {
    type: 'object' as const,
    properties: { ok: { type: 'boolean' as const } },
    required: ['ok'],
    additionalProperties: false,
  };
  const expected = { ok: expect.any(Boolean) as boolean };

  test("Vercel's AI SDK generates an object", async () => {
    const provider = createOpenAICompatible({
      name: 'aloft',
      baseURL: `${plain.httpUrl}/v1`,
      supportsStructuredOutputs: true,
    });
    const { object } = await generateObject({
      model: provider(model),
      schema: jsonSchema(schema),
      prompt: 'Is it?',
      temperature: 0,
      maxOutputTokens: 100,
      maxRetries: 0,
    });
    expect(object).toEqual(expected);
  });

  test("OpenAI's client parses an answer", async () => {
    const body = { model, messages, max_tokens: 100, temperature: 0 };
    const response_format = {
      type: 'json_schema' as const,
      json_schema: { name: 'x', strict: true, schema },
    };
    const { choices } = await client.chat.completions.parse({ ...body, response_format });
    expect(choices[0]!.message.parsed).toEqual(expected);
  });

  test('Responses holds text and calls to their forms', async () => {
    const format = { type: 'json_schema' as const, name: 'x', strict: true, schema };
    const text = { model, input: 'Is it?', max_output_tokens: 100, temperature: 0, text: { format } };
    expect((await client.responses.parse(text)).output_parsed).toEqual(expected);
    const call = await client.responses.create({
      model,
      input: 'Add.',
      max_output_tokens: 200,
      tools: [{ type: 'function', name: 'add', parameters, strict: true }],
      tool_choice: 'required',
      parallel_tool_calls: false,
    });
    const item = call.output.find(({ type }) => type === 'function_call');
    if (item?.type !== 'function_call') throw new Error('there is no call');
    expectValid({ id: '', type: 'function', function: { name: item.name, arguments: item.arguments } });
  });

  test('Messages names the stop sequence that ended an answer', async () => {
    const anthropic = new Anthropic({ baseURL: plain.httpUrl, apiKey: 'none', maxRetries: 0 });
    const body = { model, messages, max_tokens: 40, temperature: 0 };
    const [whole] = (await anthropic.messages.create(body)).content;
    const text = whole?.type === 'text' ? whole.text : '';
    const stop = text.slice(8, 12);
    const cut = await anthropic.messages.create({ ...body, stop_sequences: ['§§', stop] });
    expect(cut).toMatchObject({
      stop_reason: 'stop_sequence',
      stop_sequence: stop,
      content: [{ type: 'text', text: text.slice(0, text.indexOf(stop)) }],
    });
  });

  test('Messages holds calls to their form, behind a thought within its budget', async () => {
    const anthropic = new Anthropic({ baseURL: demo.httpUrl, apiKey: 'none', maxRetries: 0 });
    const input_schema = parameters as Anthropic.Tool.InputSchema;
    const stream = anthropic.messages.stream({
      model,
      messages,
      max_tokens: 200,
      tools: [{ name: 'add', input_schema }],
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
      thinking: { type: 'enabled', budget_tokens: 4 },
    });
    const { content, stop_reason: reason } = await stream.finalMessage();
    expect(reason).toBe('tool_use');
    const block = content.find(({ type }) => type === 'tool_use');
    if (block?.type !== 'tool_use') throw new Error('there is no call');
    const { name, input } = block;
    expectValid({ id: '', type: 'function', function: { name, arguments: JSON.stringify(input) } });
  });
});
