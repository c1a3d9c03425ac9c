/** Hermes 2 and 3, Qwen 2.5 and 3: `<tool_call>{"name": ..., "arguments": ...}</tool_call>`. */
import type { AnswerInput, Reading } from '../answer-input.js';
import type { AnswerParts } from '../answer-parts.js';
import type { CallFormat } from '../call-format.js';
import { readCallObject } from '../call-object.js';

const BEGIN = '<tool_call>';
const END = '</tool_call>';

export const HERMES: CallFormat = {
  names: ['hermes', 'qwen'],
  isAskedBy: (template) => template.includes(BEGIN),
  marks: [BEGIN, END],
  shape: {
    trigger: BEGIN,
    start: '',
    opening: (name) => `${BEGIN}\n{"name": ${JSON.stringify(name)}, "arguments": `,
    closing: `}\n${END}`,
    between: '\n',
    finish: '',
    argumentsAs: 'json',
  },
  *read(input, parts) {
    while ((yield* input.until([BEGIN], parts.text)) !== undefined) {
      input.record(BEGIN);
      yield* readHermesCalls(input, parts);
    }
  },
};

/** Objects up to the end tag, which a model may forget. What was read of them is recorded already. */
export function* readHermesCalls(input: AnswerInput, parts: AnswerParts): Reading {
  do {
    yield* input.space();
    if (!(yield* readCallObject(input, parts, { stop: END }))) return;
    yield* input.space();
    input.record('');
  } while ((yield* input.peek()) === '{');
  input.recorded();
  yield* input.takes(END);
}
