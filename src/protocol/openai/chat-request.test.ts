import { expect, test } from 'vitest';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { readChatRequest } from './chat-request.js';

/** A conversation in which the model has called functions with these arguments. */
const withCalls = (texts: readonly unknown[]) => ({
  model: 'm',
  messages: [
    { role: 'user', content: 'a' },
    {
      role: 'assistant',
      content: null,
      tool_calls: texts.map((text, i) => ({
        id: `${i}`,
        type: 'function',
        function: { name: 'f', arguments: text as string },
      })),
    },
  ],
});
const { jsonValues, jsonMembers, jsonDepth } = REQUEST_LIMITS;
const list = (count: number) => `[${Array.from({ length: count }, () => 0).join()}]`;
const object = (count: number) => `{${Array.from({ length: count }, (_, i) => `"k${i}":0`).join()}}`;

test.each<[string, number, readonly string[]]>([
  ['values', jsonValues.max, [list(jsonValues.max)]],
  ['values of several calls', jsonValues.max, [list(jsonValues.max / 2), list(jsonValues.max / 2)]],
  ['members', jsonMembers.max, [object(jsonMembers.max + 1)]],
  ['members behind a quote that is not closed', jsonMembers.max, ['"', object(jsonMembers.max + 1)]],
  ['levels', jsonDepth.max, [`${'['.repeat(65)}${']'.repeat(65)}`]],
])('arguments of tool calls have limits before they are read: %s', (_, max, texts) => {
  expect(() => readChatRequest(withCalls(texts))).toThrow(
    expect.objectContaining({
      code: 'REQUEST_INVALID',
      message: expect.stringMatching(
        new RegExp(`^The JSON in the arguments of tool calls has .* at most ${max} are accepted`),
      ),
    }),
  );
});

test('long texts in them, and arguments that are no JSON, are fine', () => {
  const texts = [JSON.stringify({ code: '{[,:'.repeat(200_000) }), 'no JSON', '', null, { a: 1 }, undefined];
  expect(() => readChatRequest(withCalls(texts) as never)).not.toThrow();
});
