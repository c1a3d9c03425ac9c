/** Inputs of custom tools, written by chance in the forms of all families: each has the tool's format. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Tool } from '../core/conversation.js';
import { AnswerReader } from '../text/calls/answer-reader.js';
import { callFormatNamed } from '../text/calls/call-formats.js';
import { INPUT_FORMS, type InputForm } from '../text/grammar/testing/input-forms.js';
import { byteLevel, compileHeld, demo, HELD_CASES, type Vocabulary, write } from './held-courses.js';

const parameters = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'] };
const RUN_COUNT = 6;
/** Texts that bring an input to its end. */
const CLOSINGS = ['\n', '\\n', '*** End Patch', '"', '</parameter>', '</arg_value>'];

const toolOf = (name: string, { form }: InputForm): Tool => ({
  name,
  parameters,
  isStrict: true,
  input: { form },
});

/** Custom tools by name, with the judges of their inputs, beside a function. */
const FORMS = new Map(INPUT_FORMS.map((form, i) => [`tool_${i}`, form]));
const TOOLS: readonly Tool[] = [
  ...Array.from(FORMS, ([name, form]) => toolOf(name, form)),
  { name: 'clock', parameters: { type: 'object', additionalProperties: false }, isStrict: true },
];

interface Found {
  readonly name: string;
  readonly isCustom: boolean;
  text: string;
  isComplete: boolean;
}

function callsOf(text: string, format: string): Found[] {
  const reader = new AnswerReader({
    format: callFormatNamed(format),
    tools: TOOLS,
    thought: undefined,
    isThinking: false,
    callId: () => 'id',
    maxCalls: Infinity,
  });
  const calls: Found[] = [];
  for (const part of [...Array.from(text).flatMap((piece) => reader.push(piece)), ...reader.end()]) {
    if (part.type === 'call')
      calls.push({ name: part.name, isCustom: part.isCustom ?? false, text: '', isComplete: false });
    else if (part.type === 'call-end') calls[part.call]!.isComplete = true;
    else {
      expect(part.type, text).toBe(calls.at(-1)?.isCustom ? 'input' : 'arguments');
      calls.at(-1)!.text += part.text;
    }
  }
  return calls;
}

describe.each(HELD_CASES)('$format, whose marks are $marks', ({ format, marks }) => {
  const { shape, marks: texts } = callFormatNamed(format);
  let vocabulary: Vocabulary;
  let closings: readonly (readonly number[])[];
  beforeAll(async () => {
    vocabulary = marks === 'plain text' ? demo : await byteLevel(texts);
    const { tokenizer } = vocabulary;
    closings = await Promise.all(CLOSINGS.map(async (text) => await tokenizer.encodeFragment(text)));
  });

  test.each([...FORMS.keys()])('the input of %s', { timeout: 120_000 }, async (name) => {
    const form = FORMS.get(name)!;
    const choice = { type: 'named', name } as const;
    const course = await compileHeld(vocabulary, { shape, tools: TOOLS, choice, isParallel: false });
    let endedCount = 0;
    for (let i = 0; i < RUN_COUNT; i++) {
      const { text, hasEnded } = write(vocabulary, course, [], closings);
      const calls = callsOf(text, format);
      expect([calls.length, calls[0]?.name, calls[0]?.isCustom], text).toEqual([1, name, true]);
      // Some texts of chance have no end in sight.
      if (!hasEnded) continue;
      endedCount++;
      expect(calls[0]!.isComplete, text).toBe(true);
      expect(form.isInput(calls[0]!.text), text).toBe(true);
    }
    expect(endedCount).toBeGreaterThan(0);
  });
});
