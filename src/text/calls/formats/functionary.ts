/** Functionary 3.1 and the custom calls of LLaMA 3.1: `<function=NAME>{...}</function>`. Functionary 3.2: `>>>NAME` and a line break. Functionary 2: messages with a recipient. */
import type { AnswerInput, Reading } from '../answer-input.js';
import type { AnswerParts } from '../answer-parts.js';
import type { CallFormat } from '../call-format.js';
import { readValue } from '../json-reading.js';

const BEGIN = '<function=';
const END = '</function>';
const TURN = '>>>';
/** Recipient of text. */
const EVERYBODY = 'all';

export const FUNCTIONARY: CallFormat = {
  names: ['functionary', 'functionary_v3.1'],
  isAskedBy: (template) => template.includes(BEGIN) && template.includes(END),
  marks: [],
  shape: {
    trigger: BEGIN,
    start: '',
    opening: (name) => `${BEGIN}${name}>`,
    closing: END,
    between: '',
    finish: '',
    argumentsAs: 'json',
  },
  *read(input, parts) {
    while ((yield* input.until([BEGIN], parts.text)) !== undefined) {
      input.record(BEGIN);
      let name = '';
      const mark = yield* input.until(['>', '\n'], (text) => (name += text));
      const recorded = input.recorded();
      if (mark !== '>' || name.trim() === '') parts.text(recorded);
      else yield* readCall(input, parts, { name: name.trim(), end: END });
    }
  },
};

/** The prompt ends with the first `>>>`, so that the answer begins with a recipient. */
export const FUNCTIONARY_TURNS: CallFormat = {
  names: ['functionary_v3.2'],
  isAskedBy: (template) => /['"]>>>/.test(template),
  marks: [],
  shape: {
    start: '',
    opening: (name) => `${name}\n`,
    closing: '',
    between: TURN,
    finish: '',
    argumentsAs: 'json',
  },
  *read(input, parts) {
    do {
      input.record('');
      yield* input.space();
      let name = '';
      const mark = yield* input.upTo(['\n', TURN], (text) => (name += text));
      if (mark === '\n' && name.trim() === EVERYBODY) {
        input.recorded();
        parts.turn();
      } else if (mark === '\n' && /^[\w.-]{1,64}$/.test(name.trim())) {
        yield* input.space();
        // A word in a line of its own is a recipient only where arguments follow it.
        if ((yield* input.peek()) === '{') {
          input.recorded();
          yield* readCall(input, parts, { name: name.trim(), end: TURN });
        }
      }
      parts.text(input.recorded());
    } while ((yield* input.until([TURN], parts.text)) !== undefined);
  },
};

const FROM = '<|from|>';
const RECIPIENT = '<|recipient|>';
const CONTENT = '<|content|>';
const STOP = '<|stop|>';

/** The prompt ends with `<|recipient|>`, so that the answer begins with a recipient. */
export const FUNCTIONARY_RECIPIENTS: CallFormat = {
  names: ['functionary_v2'],
  isAskedBy: (template) => template.includes(RECIPIENT) && template.includes(CONTENT),
  marks: [FROM, RECIPIENT, CONTENT, STOP],
  shape: {
    start: '',
    opening: (name) => `${name}\n${CONTENT}`,
    closing: '',
    between: `\n${FROM}assistant\n${RECIPIENT}`,
    finish: '',
    argumentsAs: 'json',
  },
  *read(input, parts) {
    for (;;) {
      yield* readRecipient(input, parts);
      for (;;) {
        const mark = yield* input.until([FROM, STOP, RECIPIENT], parts.text);
        if (mark === undefined) return;
        parts.turn();
        if (mark === RECIPIENT) break;
        // The sender stands between two messages.
        if (mark === FROM) yield* input.upTo([RECIPIENT, CONTENT, FROM, STOP], () => {});
      }
    }
  },
};

/** The recipient of a message, and its arguments if it is a tool; what has no recipient is text. */
function* readRecipient(input: AnswerInput, parts: AnswerParts): Reading {
  input.record('');
  yield* input.space();
  let name = '';
  yield* input.upTo(['\n', CONTENT, FROM, STOP], (text) => (name += text));
  name = name.trim();
  yield* input.space();
  const hasContent = yield* input.takes(CONTENT);
  const recorded = input.recorded();
  if (!hasContent || !/^[\w.-]{1,64}$/.test(name)) return parts.text(recorded);
  if (name === EVERYBODY) parts.turn();
  else yield* readCall(input, parts, { name, end: FROM });
}

interface OpenCall {
  readonly name: string;
  /** Mark behind the arguments. */
  readonly end: string;
}

function* readCall(input: AnswerInput, parts: AnswerParts, { name, end }: OpenCall): Reading {
  parts.call(name);
  yield* input.space();
  const result = yield* readValue(input, parts.arguments, end);
  if (result === 'complete') parts.callEnd();
  if (end !== END || result === 'cut') return;
  yield* input.space();
  yield* input.takes(END);
}
