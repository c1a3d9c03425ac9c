/** Mistral: `[TOOL_CALLS]` with a list of objects, and the later form with a name and `[ARGS]` for each call. */
import type { AnswerInput, Reading } from '../answer-input.js';
import type { AnswerParts } from '../answer-parts.js';
import type { CallFormat, CallShape } from '../call-format.js';
import { readCallObject } from '../call-object.js';
import { readValue } from '../json-reading.js';

const BEGIN = '[TOOL_CALLS]';
const ARGUMENTS = '[ARGS]';
const ID = '[CALL_ID]';

const common = {
  marks: [BEGIN, ARGUMENTS, ID],
  hasShortIds: true,
  read: readMistral,
} as const;

const LIST: CallShape = {
  trigger: BEGIN,
  start: `${BEGIN}[`,
  opening: (name) => `{"name": ${JSON.stringify(name)}, "arguments": `,
  closing: '}',
  between: ', ',
  finish: ']',
  argumentsAs: 'json',
};

const NAMED: CallShape = {
  trigger: BEGIN,
  start: '',
  opening: (name) => `${BEGIN}${name}${ARGUMENTS}`,
  closing: '',
  between: '',
  finish: '',
  argumentsAs: 'json',
};

/** Mistral Small 3.2 and later. */
export const MISTRAL_NAMED: CallFormat = {
  ...common,
  names: ['mistral_args'],
  isAskedBy: (template) => template.includes(BEGIN) && template.includes(ARGUMENTS),
  shape: NAMED,
};

export const MISTRAL: CallFormat = {
  ...common,
  names: ['mistral'],
  isAskedBy: (template) => template.includes(BEGIN),
  shape: LIST,
};

function* readMistral(input: AnswerInput, parts: AnswerParts): Reading {
  while ((yield* input.until([BEGIN], parts.text)) !== undefined) {
    input.record(BEGIN);
    yield* input.space();
    if (yield* input.takes('[')) yield* readList(input, parts);
    else yield* readNamed(input, parts);
  }
}

function* readList(input: AnswerInput, parts: AnswerParts): Reading {
  do {
    yield* input.space();
    if (!(yield* readCallObject(input, parts, {}))) return;
    yield* input.space();
    input.record('');
  } while (yield* input.takes(','));
  input.recorded();
  yield* input.takes(']');
}

function* readNamed(input: AnswerInput, parts: AnswerParts): Reading {
  let name = '';
  const mark = yield* input.upTo([ARGUMENTS, ID, '{', '\n'], (text) => (name += text));
  if (name.trim() === '' || mark === undefined || mark === '\n') return parts.text(input.recorded());
  input.recorded();
  parts.call(name.trim());
  if (mark !== '{') yield* input.until([ARGUMENTS], () => undefined);
  yield* input.space();
  if ((yield* readValue(input, parts.arguments)) === 'complete') parts.callEnd();
}
