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
  const tool = tools.find((one) => one.name === name);
  const options = { tags, schema: schemaOf(tool), isCustom: tool?.input !== undefined };
  const isWhole = yield* readArguments(input, parts, options);
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
  /** Whether it is the input of a custom tool, of which nothing may be lost. */
  readonly isCustom: boolean;
}

/** @returns false when the answer ends before the arguments do */
function* readArguments(
  input: AnswerInput,
  parts: AnswerParts,
  { tags, schema, isCustom }: ArgumentsOptions,
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
    const value = valueTags(tags, isCustom);
    const read = isText(schema[key.trim()]) ? readTextValue : readOtherValue;
    if (!(yield* read(input, parts, value))) return false;
  }
}

/** Tags without the spaces between them, of which models write more or fewer. */
const marksOf = (text: string): string[] => text.trim().split(/\s+/);

/** Tags around a value. */
interface ValueTags {
  readonly end: string;
  /** Whether a line break behind the first tag, and one before the last, belong to the tags. */
  readonly takesFirstBreak: boolean;
  readonly takesLastBreak: boolean;
}

/** Models write line breaks between tags and values of arguments whether or not the tags have them. */
const valueTags = ({ keyEnd, valueEnd }: ArgumentTags, isCustom: boolean): ValueTags => ({
  end: valueEnd.trim(),
  takesFirstBreak: !isCustom || keyEnd.endsWith('\n'),
  takesLastBreak: !isCustom || valueEnd.startsWith('\n'),
});

/** A text, handed on as the inner part of a JSON string. */
function* readTextValue(input: AnswerInput, parts: AnswerParts, tags: ValueTags): Reading<boolean> {
  const { end, takesFirstBreak, takesLastBreak } = tags;
  parts.arguments('"');
  if (takesFirstBreak) yield* input.takes('\n');
  let held = '';
  const mark = yield* input.until([end], (text) => {
    const all = held + text;
    held = UNDECIDED_END.exec(all)?.[0] ?? '';
    parts.arguments(escaped(all.slice(0, all.length - held.length)));
  });
  if (mark === undefined) return false;
  parts.arguments(escaped(held === '\n' && takesLastBreak ? '' : held) + '"');
  return true;
}

/** A line break that may belong to the tag, or half of a character. */
const UNDECIDED_END = /[\n\ud800-\udbff]$/;

/** A value that is JSON, if it can be; it is handed on when all of it is there. */
function* readOtherValue(input: AnswerInput, parts: AnswerParts, { end }: ValueTags): Reading<boolean> {
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

function schemaOf(tool: Tool | undefined): Readonly<Record<string, unknown>> {
  const properties = tool?.parameters['properties'];
  return typeof properties === 'object' && properties !== null ? { ...properties } : {};
}

/** Whether a schema allows texts alone. */
export function isText(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return false;
  const { type, enum: values } = schema as { readonly type?: unknown; readonly enum?: unknown };
  if (type !== undefined) return type === 'string';
  return Array.isArray(values) && values.every((value) => typeof value === 'string');
}
