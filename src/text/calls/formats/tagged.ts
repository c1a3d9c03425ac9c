/**
 * Calls whose arguments stand between tags, one by one, instead of in JSON: GLM 4.5 and later, Qwen 3 Coder. The schema of the tool
 * says which values are texts; others are JSON if they can be.
 */
import type { Tool } from '../../../core/conversation.js';
import type { AnswerInput, Reading } from '../answer-input.js';
import type { AnswerParts } from '../answer-parts.js';
import type { ArgumentTags, CallFormat } from '../call-format.js';
import { readHermesCalls } from './hermes.js';

const BEGIN = '<tool_call>';
const END = '</tool_call>';
const FUNCTION = '<function=';

const GLM_TAGS: ArgumentTags = {
  keyBegin: '<arg_key>',
  keyEnd: '</arg_key>\n<arg_value>',
  valueEnd: '</arg_value>\n',
  valuesAs: 'text',
};

const CODER_TAGS: ArgumentTags = {
  keyBegin: '<parameter=',
  keyEnd: '>\n',
  valueEnd: '\n</parameter>\n',
  valuesAs: 'text',
};

export const GLM_45: CallFormat = {
  names: ['glm45', 'glm47'],
  isAskedBy: (template) => template.includes('<arg_key>'),
  marks: [BEGIN, END, '<arg_key>', '</arg_key>', '<arg_value>', '</arg_value>'],
  shape: {
    trigger: BEGIN,
    start: '',
    opening: (name) => `${BEGIN}${name}\n`,
    closing: END,
    between: '\n',
    finish: '',
    argumentsAs: GLM_TAGS,
  },
  *read(input, parts, tools) {
    while ((yield* input.until([BEGIN], parts.text)) !== undefined) {
      yield* readTaggedCall(input, parts, { tools, tags: GLM_TAGS, isInFunction: false });
    }
  },
};

export const QWEN3_CODER: CallFormat = {
  names: ['qwen3_coder', 'qwen3_xml'],
  isAskedBy: (template) => template.includes(FUNCTION) && template.includes('<parameter='),
  marks: [BEGIN, END],
  shape: {
    trigger: BEGIN,
    start: '',
    opening: (name) => `${BEGIN}\n${FUNCTION}${name}>\n`,
    closing: `</function>\n${END}`,
    between: '\n',
    finish: '',
    argumentsAs: CODER_TAGS,
  },
  *read(input, parts, tools) {
    while ((yield* input.until([BEGIN], parts.text)) !== undefined) {
      yield* readTaggedCall(input, parts, { tools, tags: CODER_TAGS, isInFunction: true });
    }
  },
};

interface TaggedOptions {
  readonly tools: readonly Tool[];
  readonly tags: ArgumentTags;
  /** Whether a call stands in a tag with its name. */
  readonly isInFunction: boolean;
}

function* readTaggedCall(
  input: AnswerInput,
  parts: AnswerParts,
  { tools, tags, isInFunction }: TaggedOptions,
): Reading {
  input.record(BEGIN);
  yield* input.space();
  if ((yield* input.peek()) === '{') return yield* readHermesCalls(input, parts);
  let name = '';
  const hasFunction = isInFunction && (yield* input.takes(FUNCTION));
  const marks = hasFunction ? ['>'] : ['\n', tags.keyBegin, END];
  const mark = yield* input.upTo(marks, (text) => (name += text));
  name = name.trim();
  const recorded = input.recorded();
  if (mark === undefined || name === '' || isInFunction !== hasFunction) return parts.text(recorded);
  if (hasFunction) input.read(1);
  parts.call(name);
  parts.arguments('{');
  const isWhole = yield* readArguments(input, parts, { tags, schema: schemaOf(tools, name) });
  if (!isWhole) return;
  parts.arguments('}');
  parts.callEnd();
  yield* input.space();
  if (hasFunction && (yield* input.takes('</function>'))) yield* input.space();
  yield* input.takes(END);
}

interface ArgumentsOptions {
  readonly tags: ArgumentTags;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** @returns false when the answer ends before the arguments do */
function* readArguments(
  input: AnswerInput,
  parts: AnswerParts,
  { tags, schema }: ArgumentsOptions,
): Reading<boolean> {
  for (let isFirst = true; ; isFirst = false) {
    yield* input.space();
    if ((yield* input.peek()) === undefined) return false;
    if (!(yield* input.takes(tags.keyBegin))) return true;
    let key = '';
    for (const mark of marksOf(tags.keyEnd)) {
      yield* input.space();
      if ((yield* input.until([mark], (text) => (key += text))) === undefined) return false;
    }
    parts.arguments(`${isFirst ? '' : ', '}${JSON.stringify(key.trim())}: `);
    const end = tags.valueEnd.trim();
    const read = isText(schema[key.trim()]) ? readTextValue : readOtherValue;
    if (!(yield* read(input, parts, end))) return false;
  }
}

/** Tags without the spaces between them, of which models write more or fewer. */
const marksOf = (text: string): string[] => text.trim().split(/\s+/);

/** A text, handed on as the inner part of a JSON string. One line break at each end belongs to the tags. */
function* readTextValue(input: AnswerInput, parts: AnswerParts, end: string): Reading<boolean> {
  parts.arguments('"');
  yield* input.takes('\n');
  let held = '';
  const mark = yield* input.until([end], (text) => {
    const all = held + text;
    held = UNDECIDED_END.exec(all)?.[0] ?? '';
    parts.arguments(escaped(all.slice(0, all.length - held.length)));
  });
  if (mark === undefined) return false;
  parts.arguments(escaped(held === '\n' ? '' : held) + '"');
  return true;
}

/** A line break that may belong to the tag, or half of a character. */
const UNDECIDED_END = /[\n\ud800-\udbff]$/;

/** A value that is JSON, if it can be; it is handed on when all of it is there. */
function* readOtherValue(input: AnswerInput, parts: AnswerParts, end: string): Reading<boolean> {
  let text = '';
  const mark = yield* input.until([end], (piece) => (text += piece));
  if (mark === undefined) return false;
  const value = text.trim();
  parts.arguments(isJson(value) ? value : JSON.stringify(value));
  return true;
}

const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function schemaOf(tools: readonly Tool[], name: string): Readonly<Record<string, unknown>> {
  const properties = tools.find((tool) => tool.name === name)?.parameters['properties'];
  return typeof properties === 'object' && properties !== null ? { ...properties } : {};
}

/** Whether a schema allows texts alone. */
export function isText(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return false;
  const { type, enum: values } = schema as { readonly type?: unknown; readonly enum?: unknown };
  if (type !== undefined) return type === 'string';
  return Array.isArray(values) && values.every((value) => typeof value === 'string');
}
