/** Requests whose members have a wrong form: the error names the place in the form that was meant. */
import { describe, expect, test } from 'vitest';
import { readMessagesRequest } from '../anthropic/messages-request.js';
import type { JsonValue } from '../json.js';
import { readChatRequest } from './chat-request.js';
import { readCompletionRequest } from './completion-request.js';
import { OpenAiRequestError } from './error.js';
import { itemMessages } from './responses/items.js';

function faultOf(read: () => unknown): readonly [param: string, message: string] | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!(error instanceof OpenAiRequestError)) throw error;
    return [error.param, error.message];
  }
}

const promptFault = (prompt: JsonValue) => faultOf(() => readCompletionRequest({ model: 'm', prompt }));
const contentFault = (content: JsonValue) =>
  faultOf(() => readChatRequest({ model: 'm', messages: [{ role: 'user', content }] }));

describe('a prompt', () => {
  test.each<[JsonValue, string, string]>([
    [[], 'prompt', `'prompt' must not have fewer than 1 items.`],
    [[[]], 'prompt.0', `'prompt.0' must not have fewer than 1 items.`],
    [[5, -1], 'prompt.1', `'prompt.1' must be >= 0.`],
    [[5, 6, 'a'], 'prompt.2', `'prompt.2' must be integer.`],
    [['a', ['b']], 'prompt.1', `'prompt.1' must be string.`],
    [[[1], [2.5]], 'prompt.1.0', `'prompt.1.0' must be integer.`],
    [5, 'prompt', `'prompt' must be string or array.`],
    [null, 'prompt', `'prompt' must be string or array.`],
    [{}, 'prompt', `'prompt' must be string or array.`],
  ])('%j', (prompt, param, message) => {
    expect(promptFault(prompt)).toEqual([param, message]);
  });

  test.each<[JsonValue]>([['a'], [['a', 'b']], [[1, 2]], [[[1], [2, 3]]]])('%j is none', (prompt) => {
    expect(promptFault(prompt)).toBeUndefined();
  });
});

test.each<[JsonValue, string, string]>([
  [5, 'stop', `'stop' must be string or array or null.`],
  [['a', 1], 'stop.1', `'stop.1' must be string.`],
  [Array<string>(65).fill('a'), 'stop', `'stop' must not have more than 64 items.`],
])('a form within a form: stop %j', (stop, param, message) => {
  expect(faultOf(() => readCompletionRequest({ model: 'm', prompt: 'a', stop }))).toEqual([param, message]);
});

describe('integers that a double cannot hold', () => {
  const all = 2n ** 63n - 1n;
  const completion = { model: 'm', prompt: 'a' };
  const chat = { model: 'm', messages: [{ role: 'user', content: 'a' }] };
  const message = { ...chat, max_tokens: all };

  test('are as many tokens as there are', () => {
    expect(readCompletionRequest({ ...completion, max_tokens: all }).requests[0]!.maxOutputTokens).toBe(
      2 ** 63,
    );
    expect(readChatRequest({ ...chat, max_completion_tokens: all }).request.maxOutputTokens).toBe(2 ** 63);
    expect(readMessagesRequest(message).request.maxOutputTokens).toBe(2 ** 63);
  });

  test('stay exact as a seed', () => {
    const { request } = readChatRequest({ ...chat, max_tokens: all, seed: all });
    expect(request.seed).toBe(all);
  });

  test('are told as what they are where they are too large', () => {
    expect(faultOf(() => readChatRequest({ ...chat, n: all }))).toEqual(['n', `'n' must be <= 128.`]);
    expect(faultOf(() => readCompletionRequest({ ...completion, prompt: [1, -all] }))).toEqual([
      'prompt.1',
      `'prompt.1' must be >= 0.`,
    ]);
  });
});

describe('content of a message', () => {
  const text = (content: JsonValue) => {
    const { prompt } = readChatRequest({ model: 'm', messages: [{ role: 'user', content }] }).request;
    return prompt.type === 'chat' ? prompt.messages[0]!.content : undefined;
  };

  test.each<[JsonValue, string]>([
    [
      [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
      'ab',
    ],
    [['a', 'b'], 'ab'],
    [
      [
        { type: 'input_text', text: 'a' },
        { type: 'output_text', text: 'b' },
      ],
      'ab',
    ],
    [[{ type: 'refusal', refusal: 'no' }], 'no'],
    [[], ''],
  ])('%j is text', (content, expected) => {
    expect(text(content)).toBe(expected);
  });

  test.each<[JsonValue, string, string]>([
    [5, 'messages.0.content', `'messages.0.content' must be string or null or array.`],
    [[5], 'messages.0.content.0', `'messages.0.content.0' must be object or string.`],
    [[{ text: 'a' }], 'messages.0.content.0', `'messages.0.content.0' must have required properties type.`],
    [[{ type: 'text', text: 5 }], 'messages.0.content.0.text', `'messages.0.content.0.text' must be string.`],
    [
      ['a', { type: 'text' }],
      'messages.0.content.1',
      `'messages.0.content.1' is of type 'text', but has no 'text'.`,
    ],
    [
      [{ type: 'image_url', image_url: { url: 'x' } }],
      'messages.0.content',
      `'messages.0.content' has a part of type 'image_url'; only text parts are supported.`,
    ],
  ])('%j', (content, param, message) => {
    expect(contentFault(content)).toEqual([param, message]);
  });

  test('is there, unless an assistant may have made calls', () => {
    const messageFault = (message: Record<string, JsonValue>) =>
      faultOf(() => readChatRequest({ model: 'm', messages: [message] }));
    const missing = (role: string) => [
      'messages.0.content',
      `'messages.0.content' is missing: a message of role '${role}' needs a text.`,
    ];
    for (const role of ['system', 'developer', 'user', 'tool']) {
      expect(messageFault({ role })).toEqual(missing(role));
      expect(messageFault({ role, content: null })).toEqual(missing(role));
    }
    expect(messageFault({ role: 'assistant', content: null })).toBeUndefined();
    expect(faultOf(() => itemMessages([{ role: 'user' }]))?.[1]).toMatch(
      /content' is missing: a message of role 'user'/,
    );
    expect(faultOf(() => itemMessages([{ role: 'assistant' }]))).toBeUndefined();
  });
});
