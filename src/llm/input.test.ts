/** Mistakes of plain JavaScript: refused by name, with the name that was probably meant. */
import { describe, expect, test } from 'vitest';
import { checkSignal, requestOf } from './input.js';
import { checkLoadArguments } from './load-input.js';

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
  [{ prompt: [{ role: 'user' }] }, /but is a list; a conversation is \{ type: 'chat', messages \}/],
  [{ prompt: 'a', embedding: { dimension: 3 } }, /An embedding has no option 'dimension'; its options are/],
  [{ prompt: 'a', signal: 7 }, /no member 'signal'; did you mean the argument behind the request/],
])('%j is refused', (input, message) => {
  expect(() => read(input)).toThrow(message);
  expect(() => read(input)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
});

test('what has no JSON is named all the same', () => {
  expect(() => read({ prompt: 'a', endIds: 2n })).toThrow('endIds must be a list, but is 2.');
  expect(() => read({ prompt: 'a', endIds: () => 2 })).toThrow('endIds must be a list, but is a function.');
});

test.each([[{ signal: AbortSignal.abort() }], ['x'], [null]])('a signal that is %j is refused', (signal) => {
  expect(() => checkSignal(signal)).toThrow(/must be an AbortSignal itself.* but is /);
});

test('a signal may be that of a framework', () => {
  checkSignal(undefined);
  checkSignal(AbortSignal.timeout(1));
  checkSignal({ aborted: false, addEventListener: () => {} });
});

describe('arguments of LLM.load', () => {
  test.each<[unknown, unknown, RegExp]>([
    [undefined, {}, /the path of its directory, such as '\.\/engine', but is undefined\.$/],
    [new URL('file:///engine'), {}, /the path of its directory, .* but is "file:\/\/\/engine"\.$/],
    ['e', null, /^options must be an object such as \{ maxKvTokens: 4096 \}, but is null/],
    ['e', { max_kv_tokens: 4 }, /^options has no member 'max_kv_tokens'; did you mean maxKvTokens\?$/],
    ['e', { threads: 4 }, /^options has no member 'threads'/],
    ['e', { policy: 'V1' }, /did you mean scheduler: \{ policy: \.\.\. \}\?$/],
    ['e', { maxKvTokens: '4' }, /^maxKvTokens must be an integer at least 1, but is "4"\.$/],
    ['e', { threadCount: -4 }, /^threadCount must be an integer at least 1 and at most 1024, but is -4\.$/],
    ['e', { kvCacheFreeMemFraction: 2 }, /must be a number at least 0 and at most 1, but is 2\.$/],
    ['e', { warmup: 'yes' }, /^warmup must be true or false, but is "yes"\.$/],
    ['e', { collectives: 'mpi' }, /^collectives must be 'auto' or 'nccl', but is "mpi"\.$/],
    ['e', { cudaLibraryPath: 1 }, /^cudaLibraryPath must be a text, but is 1\.$/],
    ['e', { scheduler: 'V1' }, /^scheduler must be an object/],
    ['e', { scheduler: { polcy: 'x' } }, /^scheduler has no member 'polcy'; did you mean policy\?$/],
    ['e', { scheduler: { overlap: 1 } }, /^overlap must be true or false, but is 1\.$/],
    ['e', { signal: 5 }, /^signal must be an AbortSignal/],
  ])('%j, %j are refused', (directory, options, message) => {
    expect(() => checkLoadArguments(directory, options)).toThrow(message);
    expect(() => checkLoadArguments(directory, options)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test('what is left out has defaults, and an executor of the program’s own has its own options', () => {
    const scheduler = { policy: 'max_utilization', batchingType: 'V1', overlap: undefined };
    checkLoadArguments('e', { executorUrl: 'file:///mine.js', optionOfMine: 1 });
    checkLoadArguments('e', { maxKvTokens: undefined, hostKvBytes: 0, scheduler, modelName: 'm' });
  });
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
