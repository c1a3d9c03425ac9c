/** Tools and thoughts over OpenAI's chat interface, with clients as people use them. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { HumanMessage } from '@langchain/core/messages';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAMILY_CASES } from '../../text/calls/testing/families.js';
import type { ModelScript } from '../testing/scripted-model.js';
import { startTestServer, type TestServer } from '../testing/test-server.js';

const model = 'ensemble';
const messages = [{ role: 'user' as const, content: 'How is the weather in Paris?' }];
const parameters = {
  type: 'object' as const,
  properties: { city: { type: 'string' as const }, days: { type: 'integer' as const } },
  required: ['city'],
};
const tools = [
  { type: 'function' as const, function: { name: 'weather', description: 'd', parameters } },
  { type: 'function' as const, function: { name: 'clock' } },
];
const CALL = '{"city": "Paris", "days": 2}';
const hermes = (args: string): string =>
  `<tool_call>\n{"name": "weather", "arguments": ${args}}\n</tool_call>`;

const started: TestServer[] = [];
afterAll(async () => {
  for (const server of started) await server.close();
});

async function start(script: Partial<ModelScript>, options = {}) {
  const server = await startTestServer({ script, options });
  started.push(server);
  const openai = new OpenAI({ baseURL: `${server.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
  return { server, openai };
}

/** The message that the chunks of a stream make. */
async function streamed(openai: OpenAI, body: object) {
  const stream = await openai.chat.completions.create({
    model,
    messages,
    max_tokens: 2000,
    ...body,
    stream: true,
  });
  const message = { content: '', reasoning: '', calls: [] as { name: string; arguments: string }[] };
  let finish: string | null = null;
  let chunkCount = 0;
  for await (const chunk of stream) {
    chunkCount++;
    const choice = chunk.choices[0];
    if (choice === undefined) continue;
    finish = choice.finish_reason ?? finish;
    message.content += choice.delta.content ?? '';
    message.reasoning += (choice.delta as { reasoning_content?: string }).reasoning_content ?? '';
    for (const call of choice.delta.tool_calls ?? []) {
      message.calls[call.index] ??= { name: '', arguments: '' };
      message.calls[call.index]!.name += call.function?.name ?? '';
      message.calls[call.index]!.arguments += call.function?.arguments ?? '';
    }
  }
  return { ...message, finish, chunkCount };
}

describe.each([...new Set(FAMILY_CASES.map(({ format }) => format))])('%s', (callFormat) => {
  const cases = FAMILY_CASES.filter(({ format }) => format === callFormat);
  let openai: OpenAI;
  beforeAll(async () => {
    const answer = (prompt: string): string =>
      cases.find(({ what }) => prompt.includes(`user: ${what}\n`))?.output ?? 'no such case';
    ({ openai } = await start({ answer, card: { callFormat } }));
  });

  test.each(cases)('$what, whole and streamed', async ({ what, text, calls }) => {
    const question = [{ role: 'user' as const, content: what }];
    const body = { model, messages: question, tools, max_tokens: 2000 };
    const whole = (await openai.chat.completions.create(body)).choices[0]!;
    const found = whole.message.tool_calls?.map((call) => call.type === 'function' && call.function) ?? [];
    const expected = calls.map((call) => ({ name: call.name, arguments: call.arguments }));
    expect([whole.message.content ?? '', found]).toEqual([text, expected]);
    expect(whole.finish_reason).toBe(calls.length > 0 ? 'tool_calls' : 'stop');
    const parts = await streamed(openai, { messages: question, tools });
    expect([parts.content, parts.calls, parts.finish]).toEqual([text, expected, whole.finish_reason]);
  });
});

describe('a call', () => {
  let openai: OpenAI;
  let server: TestServer;
  beforeAll(async () => {
    const answer = (prompt: string): string =>
      prompt.includes('tool: ') ? 'It is sunny 😀.' : `Let me see.\n${hermes(CALL)}\n${hermes(CALL)}`;
    ({ openai, server } = await start({ answer, card: { callFormat: 'hermes' } }));
  });

  test('has an id, which the stream gives once, and arguments that come in pieces', async () => {
    const { choices } = await openai.chat.completions.create({ model, messages, tools, max_tokens: 500 });
    const ids = choices[0]!.message.tool_calls!.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^call_[0-9a-f]{24}$/);
    const { chunkCount } = await streamed(openai, { tools });
    expect(chunkCount).toBeGreaterThan(5);
  });

  test('that is cut ends with length', async () => {
    const body = { model, messages, tools, max_tokens: 75 };
    const [choice] = (await openai.chat.completions.create(body)).choices;
    expect(choice!.finish_reason).toBe('length');
    const parts = await streamed(openai, { tools, max_tokens: 75 });
    expect(parts.finish).toBe('length');
    expect(CALL.startsWith(parts.calls[0]!.arguments)).toBe(true);
  });

  test('is text where no tools are offered, or none may be called', async () => {
    for (const body of [{}, { tools, tool_choice: 'none' as const }]) {
      const { choices } = await openai.chat.completions.create({ model, messages, max_tokens: 500, ...body });
      expect(choices[0]!.message.tool_calls).toBeUndefined();
      expect(choices[0]!.message.content).toContain('<tool_call>');
    }
  });

  test('is the only one without parallel_tool_calls, which the engine is told, too', async () => {
    const body = { model, messages, tools, max_tokens: 500, parallel_tool_calls: false };
    const { choices } = await openai.chat.completions.create(body);
    expect(choices[0]!.message.tool_calls).toHaveLength(1);
    expect(server.model.requests.at(-1)?.course).toBeDefined();
  });

  test.each([
    ['required', 'required' as const],
    ['of one tool', { type: 'function' as const, function: { name: 'clock' } }],
  ])('%s is held to its form by the engine', async (_, choice) => {
    await openai.chat.completions.create({ model, messages, tools, max_tokens: 500, tool_choice: choice });
    const request = server.model.requests.at(-1);
    const course = JSON.stringify(request?.course);
    expect(course).toContain('clock');
    expect(course.includes('weather')).toBe(choice === 'required');
    expect(request?.shownTokens).toEqual(['<tool_call>', '</tool_call>']);
  });

  test('of a strict tool is held to its schema, where another is free', async () => {
    const strict = [{ type: 'function' as const, function: { name: 's', parameters, strict: true } }];
    await openai.chat.completions.create({ model, messages, tools: strict, max_tokens: 9 });
    expect(JSON.stringify(server.model.requests.at(-1)?.course)).toContain('"required":["city"]');
    await openai.chat.completions.create({ model, messages, tools, max_tokens: 9 });
    expect(server.model.requests.at(-1)?.course).toBeUndefined();
  });

  test('has log probabilities for all of its tokens', async () => {
    const body = { model, messages, tools, max_tokens: 500, logprobs: true };
    const [choice] = (await openai.chat.completions.create(body)).choices;
    const answer = `Let me see.\n${hermes(CALL)}\n${hermes(CALL)}`;
    expect(choice!.logprobs!.content!.map(({ token }) => token).join('')).toBe(answer);
    const stream = await openai.chat.completions.create({ ...body, stream: true });
    let tokens = '';
    for await (const chunk of stream)
      tokens += chunk.choices[0]?.logprobs?.content?.map(({ token }) => token).join('') ?? '';
    expect(tokens).toBe(answer);
  });

  test("runs with OpenAI's tool runner", async () => {
    const calls: unknown[] = [];
    const runner = openai.chat.completions.runTools({
      model,
      messages,
      max_tokens: 500,
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'd',
            parameters,
            parse: JSON.parse,
            function: (args: unknown) => {
              calls.push(args);
              return 'sunny';
            },
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe('It is sunny 😀.');
    expect(calls).toEqual([JSON.parse(CALL), JSON.parse(CALL)]);
    expect(server.model.requests.at(-1)?.prompt).toMatchObject({
      messages: [
        messages[0],
        { role: 'assistant', content: 'Let me see.', tool_calls: [{ type: 'function' }, {}] },
        { role: 'tool', content: 'sunny' },
        { role: 'tool', content: 'sunny' },
      ],
    });
  });

  test("runs with Vercel's AI SDK, whole and streamed", async () => {
    const provider = createOpenAICompatible({ name: 'aloft', baseURL: `${server.httpUrl}/v1` });
    const calls: unknown[] = [];
    const given = {
      model: provider(model),
      prompt: 'How is the weather?',
      maxOutputTokens: 500,
      maxRetries: 0,
      stopWhen: stepCountIs(3),
      tools: {
        weather: tool({
          description: 'd',
          inputSchema: jsonSchema<{ city: string }>(parameters),
          execute: async (input) => {
            calls.push(input);
            return 'sunny';
          },
        }),
      },
    };
    const whole = await generateText(given);
    expect([whole.text, whole.steps[0]!.finishReason]).toEqual(['It is sunny 😀.', 'tool-calls']);
    const stream = streamText(given);
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    expect(text).toBe('Let me see.It is sunny 😀.');
    expect(calls).toEqual(Array.from({ length: 4 }, () => JSON.parse(CALL) as unknown));
  });

  test('runs with LangChain', async () => {
    const chat = new ChatOpenAI({
      model,
      apiKey: 'none',
      maxRetries: 0,
      maxTokens: 500,
      configuration: { baseURL: `${server.httpUrl}/v1` },
    }).bindTools(tools);
    const whole = await chat.invoke([new HumanMessage('Weather?')]);
    expect(whole.tool_calls?.map(({ name, args }) => [name, args])).toEqual(
      Array.from({ length: 2 }, () => ['weather', JSON.parse(CALL)]),
    );
    let chunks;
    for await (const chunk of await chat.stream([new HumanMessage('Weather?')]))
      chunks = chunks === undefined ? chunk : chunks.concat(chunk);
    expect(chunks?.tool_calls?.map(({ args }) => args)).toEqual(whole.tool_calls?.map(({ args }) => args));
  });
});

test('the parser of the command line goes before that of the template, and ids are as its family wants them', async () => {
  const answer = (): string => `[TOOL_CALLS][{"name": "weather", "arguments": ${CALL}}]`;
  const { openai } = await start({ answer, card: { callFormat: 'hermes' } }, { toolCallParser: 'mistral' });
  const { choices } = await openai.chat.completions.create({ model, messages, tools, max_tokens: 500 });
  expect(choices[0]!.message.tool_calls?.[0]?.id).toMatch(/^[a-z0-9]{9}$/);
});

describe('thoughts', () => {
  const thought = { begin: '<think>', end: '</think>' };
  const answer = (prompt: string): string =>
    `${prompt.includes('<think>') ? '' : '<think>'}\nHm 😀.\n</think>\n\nHi\n${prompt.includes('call') ? hermes(CALL) : ''}`;
  let openai: OpenAI;
  let server: TestServer;
  beforeAll(async () => {
    ({ openai, server } = await start({ answer, card: { thought } }));
  });

  test.each([
    ['that the model begins', 'Hello'],
    ['that the prompt has begun', 'Hello <think>'],
    ['before calls', 'call'],
  ])('%s, whole and streamed', async (_, content) => {
    const body = { messages: [{ role: 'user' as const, content }], tools, max_tokens: 500 };
    const { choices, usage } = await openai.chat.completions.create({ model, ...body });
    const { message } = choices[0]!;
    const written = answer(content);
    const thoughtBytes = Buffer.byteLength(written.slice(0, written.indexOf('</think>') + 8));
    expect(usage!.completion_tokens_details).toEqual({ reasoning_tokens: thoughtBytes });
    const isCall = content === 'call';
    expect(message).toMatchObject({ content: isCall ? 'Hi' : 'Hi\n', reasoning_content: 'Hm 😀.' });
    expect(message.tool_calls?.length).toBe(isCall ? 1 : undefined);
    const parts = await streamed(openai, body);
    expect([parts.content, parts.reasoning]).toEqual([message.content, 'Hm 😀.']);
  });

  test.each([
    ['left out', { include_reasoning: false }, 'Hi\n'],
    ['left in the text', { separate_reasoning: false }, answer('')],
    ['left in the text, as llama.cpp says it', { reasoning_format: 'none' }, answer('')],
  ])('are %s as asked', async (_, body, content) => {
    const given = { model, messages, max_tokens: 500, ...body };
    const { message } = (await openai.chat.completions.create(given)).choices[0]!;
    expect(message.content).toBe(content);
    expect(message).not.toHaveProperty('reasoning_content');
  });

  test('have a budget, and are switched off by the template', async () => {
    await openai.chat.completions.create({
      model,
      messages,
      thinking_token_budget: 7,
      max_tokens: 9,
    } as never);
    const { course } = server.model.requests.at(-1)!;
    expect(JSON.stringify(course)).toContain('"budget":{"tokens":7');
    expect(course?.startBehind?.promptEnd).toBe('<think>');
    for (const body of [{ thinking_token_budget: 0 }, { reasoning_effort: 'none' }]) {
      await openai.chat.completions.create({ model, messages, max_tokens: 9, ...body } as never);
      expect(server.model.requests.at(-1)!.prompt).toMatchObject({
        templateArguments: { enable_thinking: false },
      });
    }
  });

  test('come before an answer that has a form', async () => {
    const format = { type: 'json_object' as const };
    await openai.chat.completions.create({ model, messages, max_tokens: 9, response_format: format });
    const { course, constraint } = server.model.requests.at(-1)!;
    expect(constraint).toBeUndefined();
    expect(JSON.stringify(course)).toContain('json_object');
  });
});
