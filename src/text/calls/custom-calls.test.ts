/** Calls of custom tools in the forms of all families. */
import { describe, expect, test } from 'vitest';
import type { AnswerPart, Tool } from '../../core/conversation.js';
import { ChatTemplate, DEFAULT_TEMPLATE } from '../chat-template.js';
import { AnswerReader } from './answer-reader.js';
import { callFormatNamed } from './call-formats.js';
import { FAMILY_TEMPLATES } from './testing/templates.js';

const INPUTS = [
  '\n*** Begin Patch\n+print("1 < 2", \'a\\n\')\t\u{1f600}京\n*** End Patch\n',
  '',
  '{"input": "x"}',
];
const parameters = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'] };
const PATCH: Tool = { name: 'patch', parameters, isStrict: true, input: { form: undefined } };
const CLOCK: Tool = { name: 'clock', parameters: { type: 'object' }, isStrict: false };

function read(format: string, pieces: readonly string[], maxCalls = Infinity): readonly AnswerPart[] {
  const reader = new AnswerReader({
    format: callFormatNamed(format),
    tools: [CLOCK, PATCH],
    thought: undefined,
    isThinking: false,
    callId: () => 'id',
    maxCalls,
  });
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
}

/** Parts with those of equal kind put together. */
function merged(parts: readonly AnswerPart[]): AnswerPart[] {
  const found: AnswerPart[] = [];
  for (const part of parts) {
    const last = found.at(-1);
    if ((part.type === 'input' || part.type === 'arguments') && last?.type === part.type)
      found[found.length - 1] = { ...last, text: last.text + part.text };
    else found.push(part);
  }
  return found;
}

describe.each(Object.entries(FAMILY_TEMPLATES))('%s', (name, source) => {
  const template = new ChatTemplate(new Map([[DEFAULT_TEMPLATE, source]]), {}, 'test');

  test.each(INPUTS)('the input %j that a template writes is read as it was, however it is cut', (input) => {
    const calls = [
      { function: { name: 'patch', arguments: JSON.stringify({ input }) } },
      { function: { name: 'clock', arguments: '{}' } },
    ].slice(0, name === 'glm4' ? 1 : 2);
    const tools = [PATCH, CLOCK].map((tool) => ({ type: 'function', function: tool }));
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: null, tool_calls: calls },
      { role: 'tool', content: 'done' },
    ];
    const prompt = template.render(messages, { tools });
    const written = /\[user\]Hi\[end\]\[assistant\]([^]*)\[end\]\[tool\]/.exec(prompt)![1]!;
    const patch = [
      { type: 'call', call: 0, id: 'id', name: 'patch', isCustom: true },
      ...(input === '' ? [] : [{ type: 'input', call: 0, text: input }]),
      { type: 'call-end', call: 0 },
    ];
    const clock = [
      { type: 'call', call: 1, id: 'id', name: 'clock' },
      { type: 'arguments', call: 1, text: '{}' },
      { type: 'call-end', call: 1 },
    ];
    const expected = name === 'glm4' ? patch : [...patch, ...clock];
    expect(merged(read(name, [written]))).toEqual(expected);
    for (let cut = 0; cut <= written.length; cut++)
      expect(merged(read(name, [written.slice(0, cut), written.slice(cut)]))).toEqual(expected);
    expect(merged(read(name, Array.from(written)))).toEqual(expected);
  });
});

test('an input comes as it is written, and of a call that is cut what was written', () => {
  const reader = new AnswerReader({
    format: callFormatNamed('hermes'),
    tools: [PATCH],
    thought: undefined,
    isThinking: false,
    callId: () => 'id',
    maxCalls: Infinity,
  });
  const begun = reader.push('<tool_call>{"name": "patch", "arguments": {"in');
  expect(begun).toEqual([{ type: 'call', call: 0, id: 'id', name: 'patch', isCustom: true }]);
  expect(reader.push('put": "a\\')).toEqual([{ type: 'input', call: 0, text: 'a' }]);
  expect(reader.push('nb\\ud83d')).toEqual([{ type: 'input', call: 0, text: '\nb' }]);
  expect(reader.end()).toEqual([]);
});

test('calls beyond the largest number are left out', () => {
  const call = '<tool_call>{"name": "patch", "arguments": {"input": "a"}}</tool_call>';
  expect(read('hermes', [call, call], 1).map(({ type }) => type)).toEqual(['call', 'input', 'call-end']);
});
