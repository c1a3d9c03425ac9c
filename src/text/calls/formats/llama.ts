/** LLaMA 3.1 and later: an answer that is JSON, `{"name": ..., "parameters": ...}`, or has it behind `<|python_tag|>`. */
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
    trigger: '{"name": ',
    start: '',
    opening: (name) => `{"name": ${JSON.stringify(name)}, "parameters": `,
    closing: '}',
    between: '; ',
    finish: '',
    argumentsAs: 'json',
  },
  *read(input, parts, tools) {
    const isTool = (name: string): boolean => tools.some((tool) => tool.name === name);
    const lead = yield* input.space();
    if ((yield* input.peek()) === '{') yield* readObjects(input, parts, { first: lead, isTool });
    else parts.text(lead);
    while ((yield* input.until([TAG], parts.text)) !== undefined) {
      yield* input.space();
      // Behind the tag may also stand code.
      if ((yield* input.peek()) === '{') yield* readObjects(input, parts, { first: '', isTool });
    }
  },
};

interface ObjectsOptions {
  /** Text before the first object. */
  readonly first: string;
  readonly isTool: (name: string) => boolean;
}

/** Objects with semicolons between them. */
function* readObjects(input: AnswerInput, parts: AnswerParts, { first, isTool }: ObjectsOptions): Reading {
  let before = first;
  for (;;) {
    input.record(before);
    if (!(yield* readCallObject(input, parts, { isTool }))) return;
    before = yield* input.space();
    if (yield* input.takes(';')) before += `;${yield* input.space()}`;
    yield* input.takes(TAG);
    if ((yield* input.peek()) !== '{') return;
  }
}
