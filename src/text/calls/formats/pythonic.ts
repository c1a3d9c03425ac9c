/**
 * LLaMA 3.2 and 4 where their templates ask for Python: `[weather(city="Paris", days=2), clock()]`, as the whole answer or behind text.
 * The name of a tool tells a call from other text in brackets.
 */
import type { AnswerInput, Reading } from '../answer-input.js';
import type { AnswerParts } from '../answer-parts.js';
import type { CallFormat } from '../call-format.js';
import { readLiteral } from '../python-reading.js';

const BEGIN = '<|python_start|>';
const END = '<|python_end|>';
/** Longest name that may be one of a tool. */
const MAX_NAME = 128;

export const PYTHONIC: CallFormat = {
  names: ['pythonic', 'llama4_pythonic'],
  isAskedBy: (template) => /\[\w+\(\w+=\w+/.test(template),
  marks: [BEGIN, END],
  shape: {
    start: '[',
    opening: (name) => `${name}(`,
    closing: ')',
    between: ', ',
    finish: ']',
    argumentsAs: { keyBegin: '', keyEnd: '=', valueEnd: ', ', valuesAs: 'json' },
  },
  *read(input, parts, tools) {
    const isTool = (name: string): boolean => tools.some((tool) => tool.name === name);
    for (;;) {
      const mark = yield* input.upTo(['[', BEGIN, END], parts.text);
      if (mark === undefined) return;
      if (mark === '[') yield* readCalls(input, parts, isTool);
      else {
        input.read(mark.length);
        parts.turn();
      }
    }
  },
};

/** A list of calls, or text. */
function* readCalls(input: AnswerInput, parts: AnswerParts, isTool: (name: string) => boolean): Reading {
  input.record('');
  input.read(1);
  do {
    yield* input.space();
    if (yield* input.takes(']')) return parts.text(input.recorded());
    const name = yield* readName(input);
    yield* input.space();
    const isCall = isTool(name) && (yield* input.takes('('));
    const recorded = input.recorded();
    if (!isCall) return parts.text(recorded);
    parts.call(name);
    if (!(yield* readArguments(input, parts))) return;
    yield* input.space();
    if (yield* input.takes(']')) return;
    input.record('');
  } while (yield* input.takes(','));
  input.recorded();
}

function* readName(input: AnswerInput): Reading<string> {
  let name = '';
  for (
    let next = yield* input.peek();
    next !== undefined && /[\w.-]/.test(next);
    next = yield* input.peek()
  ) {
    name += input.read(1);
    if (name.length > MAX_NAME) break;
  }
  return name;
}

/** @returns false when the answer ends before the call does */
function* readArguments(input: AnswerInput, parts: AnswerParts): Reading<boolean> {
  parts.arguments('{');
  for (let isFirst = true; ; isFirst = false) {
    yield* input.space();
    if (yield* input.takes(')')) break;
    const key = yield* readName(input);
    if (key !== '') parts.arguments(`${isFirst ? '' : ', '}${JSON.stringify(key)}`);
    yield* input.space();
    if (key === '' || !(yield* input.takes('='))) return yield* readBroken(input, parts);
    parts.arguments(': ');
    yield* input.space();
    if (!(yield* readLiteral(input, parts.arguments))) return yield* readBroken(input, parts);
    yield* input.space();
    if (!(yield* input.takes(',')) && (yield* input.peek()) !== ')') return yield* readBroken(input, parts);
  }
  parts.arguments('}');
  parts.callEnd();
  return true;
}

/** The rest of arguments that are no Python is handed on as it stands. */
function* readBroken(input: AnswerInput, parts: AnswerParts): Reading<boolean> {
  const mark = yield* input.until([')'], parts.arguments);
  if (mark !== undefined) parts.callEnd();
  return mark !== undefined;
}
