/** Refusals of the engine name what the client's own interface has, and advise only what it can do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDemoServer, type DemoServer } from './demo-server.js';

let demo: DemoServer;
beforeAll(async () => {
  demo = await startDemoServer({ serve: { strictLengths: true } });
});
afterAll(() => demo.close());

async function refusal(path: string, body: object): Promise<string> {
  const answer = await fetch(`${demo.httpUrl}${path}`, {
    method: 'POST',
    body: JSON.stringify({ model: 'ensemble', ...body }),
  });
  expect(answer.status).toBe(400);
  const { error } = (await answer.json()) as { error: string | { message: string; param?: string } };
  return typeof error === 'string' ? error : `${error.param ?? ''}: ${error.message}`;
}

const LONG = 'word '.repeat(2000);
const user = (content: string) => [{ role: 'user', content }];

interface Interface {
  readonly path: string;
  /** A request with a prompt. */
  readonly asks: (prompt: string) => object;
  readonly maxTokens: string;
  readonly stop: string;
  /** The member that keeps the end of a prompt, where there is one. */
  readonly truncates?: string;
}

const INTERFACES: readonly (readonly [string, Interface])[] = [
  [
    'chat',
    {
      path: '/v1/chat/completions',
      asks: (prompt) => ({ messages: user(prompt) }),
      maxTokens: 'max_tokens',
      stop: 'stop',
      truncates: 'truncate_prompt_tokens',
    },
  ],
  [
    'completions',
    {
      path: '/v1/completions',
      asks: (prompt) => ({ prompt }),
      maxTokens: 'max_tokens',
      stop: 'stop',
      truncates: 'truncate_prompt_tokens',
    },
  ],
  [
    'Responses',
    {
      path: '/v1/responses',
      asks: (input) => ({ input }),
      maxTokens: 'max_output_tokens',
      stop: 'stop',
      truncates: 'truncate_prompt_tokens',
    },
  ],
  [
    'Messages',
    {
      path: '/v1/messages',
      asks: (prompt) => ({ messages: user(prompt) }),
      maxTokens: 'max_tokens',
      stop: 'stop_sequences',
    },
  ],
  [
    "Triton's generate",
    {
      path: '/v2/models/ensemble/generate',
      asks: (prompt) => ({ text_input: prompt }),
      maxTokens: 'max_tokens',
      stop: 'stop_words',
    },
  ],
];

describe.each(INTERFACES)('%s', (_, { path, asks, maxTokens, stop, truncates }) => {
  test('a prompt that is too long', async () => {
    const message = await refusal(path, { ...asks(LONG), [maxTokens]: 4 });
    expect(message).toMatch(/maximum context length is \d+ tokens/);
    expect(message).not.toMatch(/truncatePromptTokens/);
    if (truncates === undefined) expect(message).not.toMatch(/truncate/);
    else expect(message).toContain(`set ${truncates} to`);
    expect(message).toContain('shorten it, ');
  });

  test('a stop text that is too long', async () => {
    const body = { ...asks('a'), [maxTokens]: 4, [stop]: ['x'.repeat(5000)] };
    expect(await refusal(path, body)).toMatch(new RegExp(`\\b${stop}\\b.* 5000 characters`));
  });

  test('more output than there can be', async () => {
    expect(await refusal(path, { ...asks('a'), [maxTokens]: 100_000 })).toContain(
      `${maxTokens} is 100000, but`,
    );
  });
});
