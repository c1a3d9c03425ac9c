import { describe, expect, test } from 'vitest';
import { ChatTemplate, DEFAULT_TEMPLATE } from '../chat-template.js';
import { AnswerReader } from './answer-reader.js';
import { CALL_FORMAT_NAMES, callFormatNamed, callFormatOf } from './call-formats.js';
import { TOOLS } from './testing/families.js';
import { FAMILY_TEMPLATES } from './testing/templates.js';
import { THOUGHT_NAMES, thoughtTagsNamed, thoughtTagsOf } from './thought-tags.js';

const CALLS = [
  { name: 'weather', arguments: { city: 'Kyōto "京都"\n😀', days: 2 } },
  { name: 'clock', arguments: {} },
];

describe.each(Object.entries(FAMILY_TEMPLATES))('%s', (name, source) => {
  const template = new ChatTemplate(new Map([[DEFAULT_TEMPLATE, source]]), {}, 'test');

  test('is what its template asks for', () => {
    expect(callFormatOf(source)).toBe(name);
  });

  test.each(['values', 'texts'])('calls that a template writes, from %s, are read as they were', (kind) => {
    const calls = name === 'glm4' ? CALLS.slice(0, 1) : CALLS;
    const tool_calls = calls.map((call) => ({
      type: 'function',
      function: kind === 'values' ? call : { ...call, arguments: JSON.stringify(call.arguments) },
    }));
    const tools = TOOLS.map((tool) => ({ type: 'function', function: tool }));
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: null, tool_calls },
      { role: 'tool', content: 'sunny' },
    ];
    const prompt = template.render(messages, { tools });
    expect(prompt).toContain('"weather"');
    expect(prompt.endsWith('[tool]sunny[end][assistant]')).toBe(true);
    const written = /\[user\]Hi\[end\]\[assistant\]([^]*)\[end\]\[tool\]/.exec(prompt)![1]!;
    const reader = new AnswerReader({
      format: callFormatNamed(name),
      tools: TOOLS,
      thought: undefined,
      isThinking: false,
      callId: () => 'id',
      maxCalls: Infinity,
    });
    const parts = [...reader.push(written), ...reader.end()];
    expect(parts.filter(({ type }) => type === 'text')).toEqual([]);
    const read = calls.map((_, i) => ({
      name: parts.find((part) => part.type === 'call' && part.call === i),
      arguments: JSON.parse(
        parts.map((part) => (part.type === 'arguments' && part.call === i ? part.text : '')).join(''),
      ) as unknown,
    }));
    expect(read).toEqual(
      calls.map((call, i) => ({
        name: { type: 'call', call: i, id: 'id', name: call.name },
        arguments: call.arguments,
      })),
    );
  });
});

test('every name stands for one format, and others are refused with the nearest', () => {
  for (const name of CALL_FORMAT_NAMES) expect(callFormatNamed(name).names).toContain(name);
  expect(new Set(CALL_FORMAT_NAMES).size).toBe(CALL_FORMAT_NAMES.length);
  expect(() => callFormatNamed('hermse')).toThrow(/did you mean 'hermes'.*use one of/);
  expect(callFormatOf('{{ messages }}')).toBeUndefined();
});

test('thoughts have the tags of their template, or of the command line', () => {
  for (const tags of ['<think>', '[THINK]', '<seed:think>']) {
    const end = tags.replace(/^(.)/, '$1/');
    expect(thoughtTagsOf(`{{ '${end}' }}`)).toEqual({ begin: tags, end });
  }
  expect(thoughtTagsOf('{{ messages }}')).toBeUndefined();
  for (const name of THOUGHT_NAMES) expect(thoughtTagsNamed(name) === undefined).toBe(name === 'none');
  expect(() => thoughtTagsNamed('x')).toThrow(/no reasoning parser 'x'/);
});
