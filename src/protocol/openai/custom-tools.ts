/**
 * Custom tools, which take free text: https://platform.openai.com/docs/guides/function-calling#custom-tools. Models are shown them
 * as functions with one text as their argument, and earlier calls of them as calls of these functions.
 */
import { type Static, Type } from 'typebox';
import type { TextForm } from '../../core/constraint.js';
import { INPUT_ARGUMENT } from '../../core/conversation.js';
import { type FunctionTool, type PlacedFunction, TOOL_NAME } from '../conversation/tools.js';
import { isObject, type JsonValue } from '../json.js';
import { OpenAiRequestError } from './error.js';
import { optional } from './optional.js';

const FORMAT_TYPE = Type.String({ description: 'text or grammar' });
const GRAMMAR_MEMBERS = {
  syntax: optional(Type.String({ description: 'lark or regex' })),
  definition: optional(Type.String()),
};

/** The format of the Responses interface. */
export const FLAT_FORMAT = Type.Object({ type: FORMAT_TYPE, ...GRAMMAR_MEMBERS });

/** The custom tool of the chat interface. */
export const CUSTOM = Type.Object({
  name: TOOL_NAME,
  description: optional(Type.String()),
  format: optional(Type.Object({ type: FORMAT_TYPE, grammar: optional(Type.Object(GRAMMAR_MEMBERS)) })),
});

/** A grammar with the path of its members in the request. */
interface PlacedGrammar {
  readonly path: string;
  readonly syntax?: string | null;
  readonly definition?: string | null;
}

/** A custom tool of the chat interface. @param path of the custom tool. @throws {OpenAiRequestError} for a wrong format */
export function chatCustomTool(custom: Static<typeof CUSTOM>, path: string): PlacedFunction {
  const { format } = custom;
  const grammar = { path: `${path}.format.grammar`, ...format?.grammar };
  return customTool(custom, path, inputGrammar(format?.type, `${path}.format`, grammar));
}

/** A custom tool of the Responses interface. @throws {OpenAiRequestError} for a wrong format */
export function responsesCustomTool(
  custom: FunctionTool & { readonly format?: Static<typeof FLAT_FORMAT> | null },
  path: string,
): PlacedFunction {
  const { format } = custom;
  const grammar = { ...format, path: `${path}.format` };
  return customTool(custom, path, inputGrammar(format?.type, `${path}.format`, grammar));
}

interface InputGrammar {
  readonly syntax: 'lark' | 'regex';
  readonly definition: string;
}

/** @returns undefined for any text */
function inputGrammar(
  type: string | undefined,
  formatPath: string,
  { path, syntax, definition }: PlacedGrammar,
): InputGrammar | undefined {
  if (type === undefined || type === 'text') return undefined;
  if (type !== 'grammar') throw fault(`${formatPath}.type`, type, "'text' or 'grammar'");
  if (syntax !== 'lark' && syntax !== 'regex') throw fault(`${path}.syntax`, syntax, "'lark' or 'regex'");
  if (!definition) throw fault(`${path}.definition`, definition, `a ${NAMES[syntax]}`);
  return { syntax, definition };
}

const NAMES: Readonly<Record<InputGrammar['syntax'], string>> = {
  lark: 'Lark grammar',
  regex: 'regular expression',
};

function fault(path: string, found: string | null | undefined, expected: string): OpenAiRequestError {
  const is = typeof found === 'string' ? `is '${found}'` : 'is missing';
  return new OpenAiRequestError(path, `'${path}' ${is}, but must be ${expected}.`);
}

function customTool(
  { name, description }: FunctionTool,
  path: string,
  grammar: InputGrammar | undefined,
): PlacedFunction {
  const text = grammar
    ? `The input as plain text that this ${NAMES[grammar.syntax]} describes:\n${grammar.definition}`
    : 'The input as plain text.';
  const parameters = {
    type: 'object',
    properties: { [INPUT_ARGUMENT]: { type: 'string', description: text } },
    required: [INPUT_ARGUMENT],
    additionalProperties: false,
  };
  return {
    path: `${path}.name`,
    function: { name, description: description ?? null, parameters, strict: true },
    input: { form: grammar && formOf(grammar) },
  };
}

function formOf({ syntax, definition }: InputGrammar): TextForm {
  if (syntax === 'regex') return { type: 'regex', pattern: definition };
  return { type: 'grammar', grammar: definition };
}

/** An earlier call of a custom tool as chat templates know calls. */
export const customCall = (id: string, name: string, input: string): object => ({
  id,
  type: 'function',
  function: { name, arguments: JSON.stringify({ [INPUT_ARGUMENT]: input }) },
});

/** A call of a message, those of custom tools as chat templates know calls. @throws {OpenAiRequestError} */
export function templateCall(call: JsonValue, path: string): unknown {
  if (!isObject(call) || call['type'] !== 'custom') return call;
  const { custom, id } = call;
  const { name, input } = isObject(custom) ? custom : {};
  for (const [member, value] of [
    ['name', name],
    ['input', input],
  ] as const)
    if (typeof value !== 'string')
      throw new OpenAiRequestError(`${path}.custom`, `'${path}.custom' lacks '${member}', a text.`);
  return customCall(typeof id === 'string' ? id : '', name as string, input as string);
}
