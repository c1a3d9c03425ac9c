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
  const message = `'${path}' is '${type}', but only tools that the client runs are supported: functions and custom tools.`;
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
  /** Input of the custom tool that is shown as this function. */
  readonly input?: Tool['input'];
}

/** @throws {OpenAiRequestError} where two have one name, or all together are too long */
export function checkedTools(functions: readonly PlacedFunction[]): Tool[] {
  const known = new Set<string>();
  let characterCount = 0;
  return functions.map(({ path, function: { name, parameters, strict }, input }) => {
    if (known.has(name))
      throw new OpenAiRequestError(path, `'${path}' is '${name}', as of another tool; rename one of them.`);
    known.add(name);
    characterCount += JSON.stringify(parameters ?? {}, withoutWideIntegers).length;
    requireWithin('toolCharacters', characterCount, 'tools');
    const tool = { name, parameters: plainSchema(parameters ?? {}), isStrict: strict ?? false };
    return input === undefined ? tool : { ...tool, input };
  });
}

/** A schema without integers that a double cannot hold. */
function plainSchema(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(schema, withoutWideIntegers)) as Record<string, unknown>;
}

const withoutWideIntegers = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? Number(value) : value;

/** A tool that a choice names. */
export interface NamedTool {
  readonly name: string;
  /** Whether it is called a custom tool there. */
  readonly isCustom?: boolean;
}

/** Some of the tools, any of which may be called (`auto`) or one of which must be (`required`). */
export interface AllowedTools {
  readonly mode: string;
  readonly allowed: readonly NamedTool[];
}

/** A choice of tools: as a word, the tool that must be called, or the tools that are allowed. */
export type GivenChoice = string | NamedTool | AllowedTools | null | undefined;

/** Tools that may be called, and which of them must be. */
export interface OfferedTools {
  readonly tools: readonly Tool[];
  readonly choice: ToolChoice;
  readonly isNarrowed: boolean;
}

/** @throws {OpenAiRequestError} for a choice that is none, and for tools that are not offered */
export function offeredTools(choice: GivenChoice, tools: readonly Tool[]): OfferedTools {
  if (typeof choice !== 'object' || choice === null || !('allowed' in choice))
    return { tools, choice: toolChoice(choice, tools), isNarrowed: false };
  const { mode, allowed: given } = choice;
  if (mode !== 'auto' && mode !== 'required')
    throw new OpenAiRequestError(
      'tool_choice.mode',
      `The mode of 'tool_choice' is '${mode}', but must be 'auto' or 'required'.`,
    );
  if (given.length === 0)
    throw new OpenAiRequestError('tool_choice', `'tool_choice' allows no tool; name one, or use 'none'.`);
  for (const tool of given) toolChoice(tool, tools);
  const allowed = tools.filter(({ name }) => given.some((tool) => tool.name === name));
  return { tools: allowed, choice: { type: mode }, isNarrowed: allowed.length < tools.length };
}

/** @throws {OpenAiRequestError} for a choice that is none, and for a tool that is not offered */
export function toolChoice(choice: Exclude<GivenChoice, AllowedTools>, tools: readonly Tool[]): ToolChoice {
  if (choice === undefined || choice === null) return { type: 'auto' };
  if (choice === 'none' || choice === 'auto') return { type: choice };
  if (typeof choice === 'string' && choice !== 'required') {
    const message = `'tool_choice' is '${choice}', but must be 'none', 'auto' or 'required', or name a function.`;
    throw new OpenAiRequestError('tool_choice', message);
  }
  if (tools.length === 0)
    throw new OpenAiRequestError('tool_choice', `'tool_choice' is only allowed when 'tools' are specified.`);
  if (typeof choice === 'string') return { type: 'required' };
  const { name, isCustom = false } = choice;
  const known = tools.filter(({ input }) => (input !== undefined) === isCustom).map((tool) => tool.name);
  if (known.includes(name)) return { type: 'named', name };
  const kind = isCustom ? 'custom tool' : 'function';
  const advice = known.length === 0 ? `there is no ${kind}` : `use one of ${known.join(', ')}`;
  throw new OpenAiRequestError(
    'tool_choice',
    `'tool_choice' names the ${kind} '${name}', which is not among the tools; ${advice}.`,
  );
}
