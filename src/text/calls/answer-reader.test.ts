import { describe, expect, test } from 'vitest';
import type { AnswerPart } from '../../core/conversation.js';
import type { ThoughtTags } from '../../core/generate.js';
import { callFormatNamed } from './call-formats.js';
import { AnswerReader, type AnswerReaderOptions } from './answer-reader.js';
import { FAMILY_CASES, type FoundAnswer, type FoundCall, TOOLS } from './testing/families.js';

const THINK: ThoughtTags = { begin: '<think>', end: '</think>' };

const PLAIN: AnswerReaderOptions = {
  format: undefined,
  tools: TOOLS,
  thought: undefined,
  isThinking: false,
  callId: () => 'id',
  maxCalls: Infinity,
};

function put(parts: readonly AnswerPart[]): FoundAnswer {
  const calls: { name: string; arguments: string; isComplete: boolean }[] = [];
  let [text, thought] = ['', ''];
  for (const item of parts) {
    if (item.type === 'text') text += item.text;
    else if (item.type === 'thought') thought += item.text;
    else if (item.type === 'call') calls.push({ name: item.name, arguments: '', isComplete: false });
    else {
      expect(item.call, 'a part belongs to the last call').toBe(calls.length - 1);
      const last = calls.at(-1)!;
      expect(last.isComplete, 'nothing comes behind the end of a call').toBe(false);
      if (item.type === 'arguments') last.arguments += item.text;
      else last.isComplete = true;
    }
  }
  return { text, thought, calls };
}

function read(pieces: readonly string[], options: Partial<AnswerReaderOptions>): FoundAnswer {
  const reader = new AnswerReader({ ...PLAIN, ...options });
  return put([...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]);
}

/** All ways to cut a text in two, all in three with a short middle, and into single units. */
function cutsOf(text: string): string[][] {
  const cuts = [Array.from({ length: text.length }, (_, i) => text[i]!)];
  for (let i = 0; i <= text.length; i++)
    for (const length of [0, 1, 2, 3, 7])
      cuts.push([text.slice(0, i), text.slice(i, i + length), text.slice(i + length)]);
  return cuts;
}

describe('calls', () => {
  test.each(FAMILY_CASES)('$format: $what, however it is cut', ({ format, output, text, calls }) => {
    const options = { format: callFormatNamed(format) };
    const expected: FoundAnswer = { thought: '', text, calls };
    expect(read([output], options)).toEqual(expected);
    for (const pieces of cutsOf(output)) expect(read(pieces, options)).toEqual(expected);
  });

  test('every beginning of an output adds up: nothing is written that the whole does not have', () => {
    for (const { format, output } of FAMILY_CASES) {
      const options = { format: callFormatNamed(format) };
      const all = read([output], options);
      for (let length = 0; length < output.length; length++) {
        const reader = new AnswerReader({ ...PLAIN, ...options });
        const { calls } = put(reader.push(output.slice(0, length)));
        for (const [i, call] of calls.entries()) {
          const last: FoundCall | undefined = all.calls[i];
          expect(last?.name).toBe(call.name);
          expect(last?.arguments.startsWith(call.arguments)).toBe(true);
        }
      }
    }
  });

  test('arguments come as they are written, not at the end', () => {
    const reader = new AnswerReader({ ...PLAIN, format: callFormatNamed('hermes') });
    reader.push('<tool_call>{"name": "weather", "arguments": {"ci');
    expect(reader.push('ty": "Pa')).toEqual([{ type: 'arguments', call: 0, text: 'ty": "Pa' }]);
  });

  test('calls beyond the largest number are left out', () => {
    const output = '{"name": "clock", "parameters": {}}; {"name": "weather", "parameters": {"city": "x"}}';
    const found = read([output], { format: callFormatNamed('llama3_json'), maxCalls: 1 });
    expect(found.calls.map(({ name }) => name)).toEqual(['clock']);
  });

  test('a megabyte of arguments, and of what only looks like a call, takes time in proportion', () => {
    const long = 'x'.repeat(2 ** 20);
    for (const output of [
      `<tool_call>{"name": "weather", "arguments": {"city": "${long}"}}</tool_call>`,
      `<tool_call>${'<tool_call'.repeat(2 ** 16)}`,
      ' '.repeat(2 ** 20),
    ]) {
      const pieces = output.match(/[^]{1,5}/g) ?? [];
      const startMs = performance.now();
      read(pieces, { format: callFormatNamed('hermes'), thought: THINK });
      expect(performance.now() - startMs).toBeLessThan(20_000);
    }
  });
});

describe('thoughts', () => {
  const format = callFormatNamed('hermes');
  test.each([
    ['that the prompt has begun', 'Hm.\n</think>\n\nHi', true, 'Hm.', 'Hi'],
    ['with both tags', '\n<think>\nHm.\n</think>\n\nHi\n', false, 'Hm.', 'Hi\n'],
    ['that the prompt has begun, with both tags', '<think>Hm.</think>Hi', true, 'Hm.', 'Hi'],
    ['that are empty', '<think>\n\n</think>\n\nHi', false, '', 'Hi'],
    ['that were cut', '<think>\nHm', false, 'Hm', ''],
    ['that are none', 'Hi <think>x</think>', false, '', 'Hi <think>x</think>'],
  ])('%s, however they are cut', (_, output, isThinking, thought, text) => {
    for (const pieces of [[output], ...cutsOf(output)])
      expect(read(pieces, { thought: THINK, isThinking })).toEqual({ thought, text, calls: [] });
  });

  test('come before calls', () => {
    const output =
      'Hm <tool_call> no\n</think>\n\nNow:\n<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>';
    for (const pieces of [[output], ...cutsOf(output)])
      expect(read(pieces, { thought: THINK, isThinking: true, format })).toEqual({
        thought: 'Hm <tool_call> no',
        text: 'Now:',
        calls: [{ name: 'clock', arguments: '{}', isComplete: true }],
      });
  });
});
