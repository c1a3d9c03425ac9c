/** Clients that people build on, unmodified: LangChain, Vercel's AI SDK, and OpenAI's own in a page of another origin. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { HumanMessage, SystemMessage } from '@langchain/core/messages';
import { ChatOpenAI, OpenAI as CompletionOpenAI } from '@langchain/openai';
import { generateText, streamText } from 'ai';
import type { Browser } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, launchChromium, NEEDS_CHROMIUM } from '../testing/browser.js';
import { startTestServer, type TestServer } from '../testing/test-server.js';

let server: TestServer;
let pages: Server;
/** Origin of a page that is not the server's. */
let origin: string;

beforeAll(async () => {
  pages = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end('<!doctype html>'),
  );
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', () => resolve()));
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  server = await startTestServer({ options: { corsOrigins: [origin] } });
});
afterAll(async () => {
  await server.close();
  await new Promise((resolve) => pages.close(resolve));
});

const model = 'ensemble';
const ANSWER = ' echo of system: Be brief.\nuser: Hi 😀\n';

describe('LangChain', () => {
  const options = () => ({
    model,
    apiKey: 'none',
    maxRetries: 0,
    temperature: 0,
    maxTokens: 100,
    configuration: { baseURL: `${server.httpUrl}/v1` },
  });
  const messages = [new SystemMessage('Be brief.'), new HumanMessage('Hi 😀')];

  test('chats, whole and streamed', async () => {
    const chat = new ChatOpenAI(options());
    const whole = await chat.invoke(messages);
    expect(whole.content).toBe(ANSWER);
    expect(whole.usage_metadata).toMatchObject({ output_tokens: expect.any(Number) });
    let text = '';
    for await (const chunk of await chat.stream(messages)) text += chunk.text;
    expect(text).toBe(ANSWER);
  });

  test('completes', async () => {
    expect(await new CompletionOpenAI(options()).invoke('abc')).toBe(' echo of abc');
  });

  test('names the fault that makes agents shorten a conversation', async () => {
    const chat = new ChatOpenAI(options());
    await expect(chat.invoke([new HumanMessage('x'.repeat(9000))])).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    });
  });

  test('offers tools and sends their earlier calls', async () => {
    const schema = { type: 'object', properties: { city: { type: 'string' } } };
    const tool = {
      type: 'function' as const,
      function: { name: 'weather', description: 'd', parameters: schema },
    };
    await new ChatOpenAI(options()).bindTools([tool]).invoke(messages);
    expect(server.model.requests.at(-1)?.prompt).toMatchObject({ templateArguments: { tools: [tool] } });
  });
});

describe("Vercel's AI SDK", () => {
  const provider = () =>
    createOpenAICompatible({ name: 'aloft', baseURL: `${server.httpUrl}/v1`, apiKey: 'none' });
  const question = { system: 'Be brief.', prompt: 'Hi 😀', maxOutputTokens: 100, maxRetries: 0 };

  test('chats, whole and streamed', async () => {
    const chat = provider()(model);
    const whole = await generateText({ model: chat, ...question });
    expect([whole.text, whole.finishReason]).toEqual([ANSWER, 'stop']);
    expect(whole.usage.outputTokens).toBeGreaterThan(0);
    let text = '';
    const { textStream } = streamText({ model: chat, ...question });
    for await (const part of textStream) text += part;
    expect(text).toBe(ANSWER);
  });

  test('completes', async () => {
    const completion = provider().completionModel(model);
    const { text } = await generateText({
      model: completion,
      prompt: 'abc',
      maxOutputTokens: 100,
      maxRetries: 0,
    });
    expect(text).toMatch(/^ echo of /);
  });
});

describe.skipIf(!hasChromium)(`the openai package in a page ${NEEDS_CHROMIUM}`, () => {
  let browser: Browser;
  let bundle: string;
  beforeAll(async () => {
    const entry = fileURLToPath(import.meta.resolve('openai'));
    const output = await build({
      configFile: false,
      logLevel: 'silent',
      build: { write: false, minify: false, lib: { entry, formats: ['iife'], name: 'OpenAISdk' } },
    });
    const [result] = Array.isArray(output) ? output : [output];
    const chunk = result !== undefined && 'output' in result ? result.output[0] : undefined;
    if (chunk?.type !== 'chunk') throw new Error('The bundler made no script.');
    bundle = chunk.code;
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test.each(['chat', 'completions'])('%s, whole, streamed and refused', async (kind) => {
    const page = await browser.newPage();
    await page.goto(origin);
    await page.addScriptTag({ content: bundle });
    const given = JSON.stringify({ baseURL: `${server.httpUrl}/v1`, model, kind });
    const results = await page.evaluate(`(${PROGRAM})(${given})`);
    const answer = kind === 'chat' ? ' echo of user: Hi 😀\n' : ' echo of Hi 😀';
    expect(results).toEqual({
      whole: answer,
      streamed: answer,
      fault: [400, 'context_length_exceeded', kind === 'chat' ? 'messages' : 'prompt'],
      models: [model],
    });
    await page.close();
  });
});

/** Runs in the page. */
const PROGRAM = `async ({ baseURL, model, kind }) => {
  const { OpenAI } = OpenAISdk;
  const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0, timeout: 60000, dangerouslyAllowBrowser: true });
  const isChat = kind === 'chat';
  const route = isChat ? client.chat.completions : client.completions;
  const body = (text) => ({ model, max_tokens: 100, ...(isChat ? { messages: [{ role: 'user', content: text }] } : { prompt: text }) });
  const textOf = (choice) => (isChat ? (choice?.message ?? choice?.delta)?.content : choice?.text) ?? '';
  const whole = textOf((await route.create(body('Hi 😀'))).choices[0]);
  let streamed = '';
  for await (const chunk of await route.create({ ...body('Hi 😀'), stream: true })) streamed += textOf(chunk.choices[0]);
  const fault = await route.create(body('x'.repeat(9000))).catch((error) => [error.status, error.code, error.param]);
  const models = [];
  for await (const entry of client.models.list()) models.push(entry.id);
  return { whole, streamed, fault, models };
}`;
