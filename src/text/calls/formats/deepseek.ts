/** DeepSeek V3, R1 and V3.1: tags of their own, with the arguments in a block of code or bare. */
import type { AnswerInput, Reading } from '../answer-input.js';
import type { AnswerParts } from '../answer-parts.js';
import type { CallFormat, CallShape } from '../call-format.js';
import { readValue } from '../json-reading.js';

const CALLS_BEGIN = '<｜tool▁calls▁begin｜>';
const CALLS_END = '<｜tool▁calls▁end｜>';
const BEGIN = '<｜tool▁call▁begin｜>';
const END = '<｜tool▁call▁end｜>';
const SEPARATOR = '<｜tool▁sep｜>';
const CODE = '```json';

const FENCED: CallShape = {
  trigger: CALLS_BEGIN,
  start: CALLS_BEGIN,
  opening: (name) => `${BEGIN}function${SEPARATOR}${name}\n${CODE}\n`,
  closing: `\n\`\`\`${END}`,
  between: '\n',
  finish: CALLS_END,
  argumentsAs: 'json',
};

const BARE: CallShape = {
  ...FENCED,
  opening: (name) => `${BEGIN}${name}${SEPARATOR}`,
  closing: END,
  between: '',
};

const common = { marks: [CALLS_BEGIN, CALLS_END, BEGIN, END, SEPARATOR], read: readDeepseek } as const;

export const DEEPSEEK_V3: CallFormat = {
  ...common,
  names: ['deepseek_v3'],
  isAskedBy: (template) => template.includes(BEGIN) && template.includes(CODE),
  shape: FENCED,
};

export const DEEPSEEK_V31: CallFormat = {
  ...common,
  names: ['deepseek_v31'],
  isAskedBy: (template) => template.includes(BEGIN),
  shape: BARE,
};

/** Reads both forms: a call says which one it has. */
function* readDeepseek(input: AnswerInput, parts: AnswerParts): Reading {
  for (;;) {
    const mark = yield* input.until([CALLS_BEGIN, BEGIN], parts.text);
    if (mark === undefined) return;
    input.record(mark);
    if (mark === CALLS_BEGIN) yield* input.space();
    if (mark === BEGIN || (yield* input.takes(BEGIN))) yield* readCalls(input, parts);
    else parts.text(input.recorded());
  }
}

function* readCalls(input: AnswerInput, parts: AnswerParts): Reading {
  do {
    if (!(yield* readCall(input, parts))) return;
    yield* input.space();
    input.record('');
  } while (yield* input.takes(BEGIN));
  input.recorded();
  yield* input.takes(CALLS_END);
}

/** @returns false when it is no call, and has become text */
function* readCall(input: AnswerInput, parts: AnswerParts): Reading<boolean> {
  let name = '';
  const take = (text: string): void => void (name += text);
  const mark = yield* input.until([SEPARATOR, END], take);
  if (mark === SEPARATOR && name.trim() === 'function') {
    name = '';
    yield* input.upTo(['\n', CODE, END], take);
  }
  const recorded = input.recorded();
  if (mark !== SEPARATOR || name.trim() === '') {
    parts.text(recorded);
    return false;
  }
  parts.call(name.trim());
  yield* input.space();
  yield* input.takes(CODE);
  yield* input.space();
  const end = yield* readValue(input, parts.arguments, END);
  if (end === 'cut') return true;
  yield* input.until([END], () => undefined);
  if (end === 'complete') parts.callEnd();
  return true;
}
