/** Mistakes of plain JavaScript: refused by name, with the name that was probably meant. */
import { describe, expect, test } from 'vitest';
import { requestOf } from './input.js';

/** As JavaScript calls it. */
const read = requestOf as (input: unknown) => ReturnType<typeof requestOf>;

test.each([
  [undefined, /must be a text or an object with a prompt, but is undefined/],
  [7, /must be a text or an object/],
  [{}, /prompt is missing/],
  [{ prompt: 7 }, /prompt must be a text or an object, but is 7/],
  [{ prompt: { type: 'txt' } }, /prompt\.type must be 'text', 'tokens' or 'chat', but is "txt"/],
  [{ prompt: { type: 'text' } }, /prompt\.text must be a text/],
  [{ prompt: { type: 'tokens', tokenIds: 5 } }, /prompt\.tokenIds must be a list/],
  [{ prompt: { type: 'chat', messages: 'hi' } }, /messages must be a list such as/],
  [{ prompt: { type: 'chat', messages: ['hi'] } }, /messages\[0\] must be an object with a role/],
  [
    { prompt: { type: 'chat', messages: [{ role: 'user', content: 7 }] } },
    /messages\[0\]\.content must be a text/,
  ],
  [
    { prompt: { type: 'chat', messages: [{ role: 'user', content: [{ type: 'image_url' }] }] } },
    /messages\[0\]\.content\[0\] must be \{ type: 'text'.* it is \{"type":"image_url"\}/,
  ],
  [{ prompt: 'a', tempreature: 1 }, /no member 'tempreature'; did you mean temperature\?$/],
  [{ prompt: 'a', max_tokens: 1 }, /no member 'max_tokens'; did you mean maxOutputTokens\?$/],
  [{ prompt: 'a', top_p: 1 }, /did you mean topP\?$/],
  [{ prompt: 'a', n: 2 }, /did you mean sequenceCount\?$/],
  [
    { prompt: 'a', somethingElseAltogether: 2 },
    /no member 'somethingElseAltogether'; its members are prompt, /,
  ],
  [{ prompt: 'a', seed: 1.5 }, /seed must be a whole number of at least 0/],
  [{ prompt: 'a', seed: '7' }, /seed must be a whole number/],
  [{ prompt: 'a', beam: 4 }, /beam must be an object such as \{ width: 4 \}/],
  [{ prompt: 'a', beam: {} }, /beam\.width is missing/],
  [{ prompt: 'a', badWords: 'x' }, /badWords must be a list, but is "x"/],
  [{ prompt: 'a', endIds: 2 }, /endIds must be a list, but is 2/],
])('%j is refused', (input, message) => {
  expect(() => read(input)).toThrow(message);
  expect(() => read(input)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
});

describe('short forms', () => {
  test.each([
    ['a', { prompt: { type: 'text', text: 'a', addSpecialTokens: true } }],
    [{ prompt: 'a', stop: '.' }, { stop: ['.'] }],
    [{ prompt: 'a', seed: 7 }, { seed: 7n }],
    [{ prompt: 'a', seed: 2n ** 63n }, { seed: 2n ** 63n }],
    [{ prompt: 'a', beam: { width: 4 } }, { beam: { width: 4, lengthPenalty: 1, earlyStopping: false } }],
    [
      {
        prompt: {
          type: 'chat',
          messages: [
            {
              role: 'user',
              content: [
                { type: 'text', text: 'a' },
                { type: 'text', text: 'b' },
              ],
            },
          ],
        },
      },
      { prompt: { messages: [{ role: 'user', content: 'ab' }], templateArguments: {} } },
    ],
    [
      { prompt: { type: 'chat', messages: [{ role: 'assistant', tool_calls: [] }] } },
      { prompt: { messages: [{ role: 'assistant', content: null, tool_calls: [] }] } },
    ],
  ])('%#', (input, expected) => {
    expect(read(input)).toMatchObject(expected);
  });
});
