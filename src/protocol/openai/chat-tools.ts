/** Tools of a chat, and which of them the model must call. */
import { type Static, Type } from 'typebox';
import type { Tool, ToolChoice } from '../../core/conversation.js';
import { requireWithin, REQUEST_LIMITS } from '../../core/request-limits.js';
import { OpenAiRequestError } from './error.js';
import { optional } from './optional.js';

/** Names as OpenAI has them, with a point, which Python's have. */
const TOOL_NAME = '^[a-zA-Z0-9_.-]{1,64}$';

const FUNCTION = Type.Object({
  name: Type.String({ pattern: TOOL_NAME }),
  description: optional(Type.String()),
  parameters: optional(Type.Record(Type.String(), Type.Unknown())),
  strict: optional(Type.Boolean()),
});

const TOOL = Type.Object({ type: Type.String(), function: optional(FUNCTION) });

export const TOOL_MEMBERS = {
  tools: optional(Type.Array(TOOL, { maxItems: REQUEST_LIMITS.tools.max })),
  tool_choice: optional(
    Type.Union([
      Type.String(),
      Type.Object({ type: Type.String(), function: optional(Type.Object({ name: Type.String() })) }),
    ]),
  ),
  parallel_tool_calls: optional(Type.Boolean()),
};

type Function = Static<typeof FUNCTION>;
type GivenTool = Static<typeof TOOL>;

/** @throws {OpenAiRequestError} for a tool that is no function */
export function chatTools(tools: readonly GivenTool[]): Tool[] {
  const functions = tools.map((tool, i) => {
    const path = `tools.${i}`;
    if (tool.type !== 'function') throw unsupportedTool(`${path}.type`, tool.type);
    if (!tool.function) throw new OpenAiRequestError(`${path}.function`, `'${path}' lacks 'function'.`);
    return { path: `${path}.function.name`, function: tool.function };
  });
  return checkedTools(functions);
}

function unsupportedTool(path: string, type: string): OpenAiRequestError {
  const message = `'${path}' is '${type}', but only tools of type 'function' are supported: the client runs them.`;
  return new OpenAiRequestError(path, message, 'UNSUPPORTED');
}

/** A function with the path of its name in the request. */
interface PlacedFunction {
  readonly path: string;
  readonly function: Function;
}

/** @throws {OpenAiRequestError} where two have one name, or all together are too long */
function checkedTools(functions: readonly PlacedFunction[]): Tool[] {
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
