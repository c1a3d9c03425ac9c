import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../json.js';
import { readChatRequest } from './chat-request.js';
import { readCompletionRequest } from './completion-request.js';
import { CONSTRAINT_MEMBERS } from './constraint.js';
import { OpenAiRequestError } from './error.js';
import { readResponseRequest } from './responses/request.js';
import { UNHONOURED, type RequestKind } from './unhonoured.js';

const CHAT = { model: 'm', messages: [{ role: 'user', content: 'a' }] };
const COMPLETION = { model: 'm', prompt: 'a' };
const none = (id: string): never => expect.fail(`${id} was asked for`);
const EARLIER = { messagesOf: none, itemOf: none };
const READERS: Readonly<Record<RequestKind, (members: JsonObject) => unknown>> = {
  chat: (members) => readChatRequest({ ...CHAT, ...members }),
  completions: (members) => readCompletionRequest({ ...COMPLETION, ...members }),
  responses: (members) => readResponseRequest({ model: 'm', input: 'a', ...members }, EARLIER),
};
const read = (kind: RequestKind, members: JsonObject): unknown => READERS[kind](members);

function faultOf(kind: RequestKind, members: JsonObject): OpenAiRequestError {
  try {
    read(kind, members);
  } catch (error) {
    if (error instanceof OpenAiRequestError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const ALL = Object.entries(UNHONOURED).flatMap(([kind, table]) =>
  Object.entries(table).map(([name, { harmless }]) => [kind as RequestKind, name, harmless] as const),
);

describe('a member that is not honoured', () => {
  test.each(ALL)('of %s is refused by name: %s', (kind, name) => {
    expect(faultOf(kind, { [name]: { type: 'anything' } })).toMatchObject({
      param: name,
      code: 'UNSUPPORTED',
      message: expect.stringMatching(new RegExp(`^'?${name}'?.* is not supported: `)),
    });
  });

  test.each(
    ALL.flatMap(([kind, name, harmless]) => [null, ...harmless].map((value) => [kind, name, value] as const)),
  )('of %s is allowed where it asks for nothing: %s %j', (kind, name, value) => {
    const isJson = typeof value === 'string' && /^[[{]/.test(value);
    const sent: JsonValue = isJson ? (JSON.parse(value) as JsonValue) : value;
    expect(() => read(kind, { [name]: sent })).not.toThrow();
  });
});

/**
 * Members of the schemas of OpenAI, vLLM, SGLang and llama.cpp (November 2026) that change an answer. Each is taken, or is in the
 * table; those that change nothing are listed, so that a new member of a schema has to be put somewhere.
 */
const FORCES_A_FORM = [...CONSTRAINT_MEMBERS, 'structural_tag', 'regex', 'ebnf'];
const TAKEN = [
  'bad_words',
  'min_tokens',
  'ignore_eos',
  'stop_token_ids',
  'include_stop_str_in_output',
  'skip_special_tokens',
  'truncate_prompt_tokens',
  'cache_salt',
  'priority',
  'top_k',
  'min_p',
  'repetition_penalty',
];

test.each(FORCES_A_FORM)('no kind of request ignores %s', (name) => {
  for (const kind of ['chat', 'completions', 'responses'] as const)
    expect(faultOf(kind, { [name]: 3 }).param).toBe(name);
});

test.each(TAKEN)('%s is taken, so no table has it', (name) => {
  expect(Object.keys({ ...UNHONOURED.chat, ...UNHONOURED.completions })).not.toContain(name);
  for (const kind of ['chat', 'completions'] as const)
    expect(faultOf(kind, { [name]: { wrong: true } }).param).toMatch(name);
});

test.each([
  'metadata',
  'store',
  'service_tier',
  'prompt_cache_key',
  'safety_identifier',
  'prediction',
  'user',
  'cache_prompt',
])('%s changes nothing about the text and is allowed', (name) => {
  const value = name === 'user' || name === 'service_tier' ? 'x' : {};
  for (const kind of ['chat', 'completions'] as const)
    expect(() => read(kind, { [name]: value })).not.toThrow();
});

describe('members for the chat template', () => {
  test('are taken beside chat_template_kwargs', () => {
    const members = {
      add_generation_prompt: false,
      continue_final_message: true,
      documents: [{ title: 't' }],
      chat_template: 'rag',
      reasoning_effort: 'low',
      chat_template_kwargs: { enable_thinking: false },
    };
    const { request } = readChatRequest({ ...CHAT, ...members });
    const { chat_template_kwargs: kwargs, ...rest } = members;
    expect(request.prompt).toHaveProperty('templateArguments', { ...kwargs, ...rest });
    expect(request.continuesPrompt).toBe(true);
  });

  test.each([
    [{ continue_final_message: true, add_generation_prompt: true }, 'continue_final_message'],
    [
      { continue_final_message: true, chat_template_kwargs: { add_generation_prompt: true } },
      'continue_final_message',
    ],
    [{ continue_final_message: 1 }, 'continue_final_message'],
    [{ documents: {} }, 'documents'],
    [{ chat_template: 'x'.repeat(300) }, 'chat_template'],
    [{ chat_template: '{{ messages }}' }, 'chat_template'],
    [{ chat_template: '{% if x %}y{% endif %}' }, 'chat_template'],
    [{ parallel_tool_calls: 1 }, 'parallel_tool_calls'],
    [{ thinking_token_budget: -1 }, 'thinking_token_budget'],
    [{ reasoning_format: 'x' }, 'reasoning_format'],
    [
      { stream: true, stream_options: { continuous_usage_stats: true } },
      'stream_options.continuous_usage_stats',
    ],
  ])('%j is refused by name', (members, param) => {
    expect(faultOf('chat', members).param).toBe(param);
  });
});
