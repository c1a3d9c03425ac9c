/** Tools of all interfaces: their names, their schemas, and which of them must be called. */
import { type Static, Type } from 'typebox';
import type { Tool, ToolChoice } from '../../core/conversation.js';
import { REQUEST_LIMITS, requireWithin } from '../../core/request-limits.js';
import { OpenAiRequestError } from '../openai/error.js';
import { optional } from '../openai/optional.js';

/** Names as OpenAI has them, with a point, which Python's have. */
const NAME_PATTERN = '^[a-zA-Z0-9_.-]{1,64}$';

export const TOOL_NAME = Type.String({ pattern: NAME_PATTERN });
export const TOOL_SCHEMA = Type.Record(Type.String(), Type.Unknown());

export const FUNCTION = Type.Object({
  name: TOOL_NAME,
  description: optional(Type.String()),
  parameters: optional(TOOL_SCHEMA),
  strict: optional(Type.Boolean()),
});

export type FunctionTool = Static<typeof FUNCTION>;

/** Most tools of one request. */
export const MAX_TOOLS = REQUEST_LIMITS.tools.max;

export function unsupportedTool(path: string, type: string): OpenAiRequestError {
  const message =
    type === 'custom'
      ? `'${path}' is 'custom', but tools with free input are not supported; offer a function with a text as its argument.`
      : `'${path}' is '${type}', but only tools of type 'function' are supported: the client runs them.`;
  return new OpenAiRequestError(path, message, 'UNSUPPORTED');
}

/** Tools as chat templates know them: OpenAI's form. */
export function templateTools(functions: readonly FunctionTool[]): object[] {
  return functions.map(({ name, description, parameters }) => ({
    type: 'function',
    function: {
      name,
      ...(description === undefined || description === null ? {} : { description }),
      parameters: parameters ?? { type: 'object', properties: {} },
    },
  }));
}

/** A function with the path of its name in the request. */
export interface PlacedFunction {
  readonly path: string;
  readonly function: FunctionTool;
}

/** @throws {OpenAiRequestError} where two have one name, or all together are too long */
export function checkedTools(functions: readonly PlacedFunction[]): Tool[] {
  const known = new Set<string>();
  let characterCount = 0;
  return functions.map(({ path, function: { name, parameters, strict } }) => {
    if (known.has(name))
      throw new OpenAiRequestError(path, `'${path}' is '${name}', as of another tool; rename one of them.`);
    known.add(name);
    characterCount += JSON.stringify(parameters ?? {}, withoutWideIntegers).length;
    requireWithin('toolCharacters', characterCount, 'tools');
    return { name, parameters: plainSchema(parameters ?? {}), isStrict: strict ?? false };
  });
}

/** A schema without integers that a double cannot hold. */
function plainSchema(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(schema, withoutWideIntegers)) as Record<string, unknown>;
}

const withoutWideIntegers = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? Number(value) : value;

/** Some of the tools, any of which may be called (`auto`) or one of which must be (`required`). */
export interface AllowedTools {
  readonly mode: string;
  readonly names: readonly string[];
}

/** Tools that may be called, and which of them must be. */
export interface OfferedTools {
  readonly tools: readonly Tool[];
  readonly choice: ToolChoice;
  readonly isNarrowed: boolean;
}

/** @param choice as a word, the name of a tool, or the tools that are allowed */
export function offeredTools(
  choice: string | { readonly name: string } | AllowedTools | null | undefined,
  tools: readonly Tool[],
): OfferedTools {
  if (typeof choice !== 'object' || choice === null || !('names' in choice))
    return { tools, choice: toolChoice(choice, tools), isNarrowed: false };
  const { mode, names } = choice;
  if (mode !== 'auto' && mode !== 'required')
    throw new OpenAiRequestError(
      'tool_choice.mode',
      `The mode of 'tool_choice' is '${mode}', but must be 'auto' or 'required'.`,
    );
  if (names.length === 0)
    throw new OpenAiRequestError('tool_choice', `'tool_choice' allows no tool; name one, or use 'none'.`);
  for (const name of names) toolChoice({ name }, tools);
  const allowed = tools.filter(({ name }) => names.includes(name));
  return { tools: allowed, choice: { type: mode }, isNarrowed: allowed.length < tools.length };
}

/** @param choice as a word, or the name of a tool */
export function toolChoice(
  choice: string | { readonly name: string } | null | undefined,
  tools: readonly Tool[],
): ToolChoice {
  if (choice === undefined || choice === null) return { type: 'auto' };
  if (choice === 'none' || choice === 'auto') return { type: choice };
  if (typeof choice === 'string' && choice !== 'required') {
    const message = `'tool_choice' is '${choice}', but must be 'none', 'auto' or 'required', or name a function.`;
    throw new OpenAiRequestError('tool_choice', message);
  }
  if (tools.length === 0)
    throw new OpenAiRequestError('tool_choice', `'tool_choice' is only allowed when 'tools' are specified.`);
  if (typeof choice === 'string') return { type: 'required' };
  const { name } = choice;
  if (tools.some((tool) => tool.name === name)) return { type: 'named', name };
  const known = tools.map((tool) => tool.name).join(', ');
  throw new OpenAiRequestError(
    'tool_choice',
    `'tool_choice' names the function '${name}', which is not among the tools; use one of ${known}.`,
  );
}
