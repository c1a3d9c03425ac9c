/**
 * LLaMA 3.1 and later: JSON, `{"name": ..., "parameters": ...}`, as the whole answer, behind `<|python_tag|>`, or behind text. The
 * name of a tool tells it from other JSON.
 */
import type { AnswerInput, Reading } from '../answer-input.js';
import type { AnswerParts } from '../answer-parts.js';
import type { CallFormat } from '../call-format.js';
import { readCallObject } from '../call-object.js';

const TAG = '<|python_tag|>';

export const LLAMA: CallFormat = {
  names: ['llama3_json', 'llama4_json'],
  isAskedBy: (template) => template.includes(TAG) || /<\|start_header_id\|>[^]*"parameters":/.test(template),
  marks: [TAG],
  shape: {
    trigger: '{"name":',
    start: '',
    opening: (name) => `{"name": ${JSON.stringify(name)}, "parameters": `,
    closing: '}',
    between: '; ',
    finish: '',
    argumentsAs: 'json',
  },
  *read(input, parts, tools) {
    const isTool = (name: string): boolean => tools.some((tool) => tool.name === name);
    for (;;) {
      const mark = yield* input.upTo([TAG, '{'], parts.text);
      if (mark === undefined) return;
      // Behind the tag may also stand code.
      if (mark === TAG) {
        yield* input.takes(TAG);
        yield* input.space();
      } else yield* readObjects(input, parts, isTool);
    }
  },
};

/** Objects with semicolons between them. */
function* readObjects(input: AnswerInput, parts: AnswerParts, isTool: (name: string) => boolean): Reading {
  let before = '';
  do {
    input.record(before);
    if (!(yield* readCallObject(input, parts, { isTool }))) return;
    before = yield* input.space();
    if (yield* input.takes(';')) before += `;${yield* input.space()}`;
    yield* input.takes(TAG);
  } while ((yield* input.peek()) === '{');
}
