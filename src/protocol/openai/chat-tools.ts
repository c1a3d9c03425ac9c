/** Tools of a chat in OpenAI's form. */
import { type Static, Type } from 'typebox';
import type { Tool } from '../../core/conversation.js';
import {
  checkedTools,
  FUNCTION,
  type GivenChoice,
  MAX_TOOLS,
  type NamedTool,
  type PlacedFunction,
  templateTools,
  unsupportedTool,
} from '../conversation/tools.js';
import { chatCustomTool, CUSTOM } from './custom-tools.js';
import { OpenAiRequestError } from './error.js';
import { optional } from './optional.js';

const TOOL = Type.Object({ type: Type.String(), function: optional(FUNCTION), custom: optional(CUSTOM) });

const NAME = optional(Type.Object({ name: Type.String() }));
const NAMED = Type.Object({ type: Type.String(), function: NAME, custom: NAME });
const ALLOWED_TOOLS = Type.Object({ mode: Type.String(), tools: Type.Array(NAMED) });
const CHOICE = Type.Union([
  Type.String(),
  Type.Object({ ...NAMED.properties, allowed_tools: optional(ALLOWED_TOOLS) }),
]);

export const TOOL_MEMBERS = {
  tools: optional(Type.Array(TOOL, { maxItems: MAX_TOOLS })),
  tool_choice: optional(CHOICE),
  parallel_tool_calls: optional(Type.Boolean()),
};

export interface ChatTools {
  readonly tools: readonly Tool[];
  /** The same as chat templates know them: functions as they were sent. */
  readonly shown: readonly object[];
}

/** @throws {OpenAiRequestError} for a tool that the client does not run, and for names that clash */
export function chatTools(tools: readonly Static<typeof TOOL>[]): ChatTools {
  const functions = tools.map(placedFunction);
  const shown = functions.map((tool, i) =>
    tool.input === undefined ? tools[i]! : templateTools([tool.function])[0]!,
  );
  return { tools: checkedTools(functions), shown };
}

function placedFunction(tool: Static<typeof TOOL>, i: number): PlacedFunction {
  const path = `tools.${i}`;
  const { type } = tool;
  if (type !== 'function' && type !== 'custom') throw unsupportedTool(`${path}.type`, type);
  if (!tool[type]) throw new OpenAiRequestError(`${path}.${type}`, `'${path}' lacks '${type}'.`);
  if (type === 'custom') return chatCustomTool(tool.custom!, `${path}.custom`);
  return { path: `${path}.function.name`, function: tool.function! };
}

/** A choice as a word, with the name of a tool, or with those of several. @throws {OpenAiRequestError} */
export function chatToolChoice(choice: Static<typeof CHOICE> | null | undefined): GivenChoice {
  if (choice === undefined || choice === null || typeof choice === 'string') return choice;
  const named = namedTool(choice);
  if (named !== undefined) return named;
  if (choice.type === 'allowed_tools' && choice.allowed_tools) {
    const { mode, tools } = choice.allowed_tools;
    return { mode, allowed: tools.map((tool) => namedTool(tool) ?? { name: '' }) };
  }
  throw new OpenAiRequestError(
    'tool_choice',
    `'tool_choice' is of type '${choice.type}', but must be 'none', 'auto' or 'required', name a function or a custom tool, or be of type 'allowed_tools'.`,
    'UNSUPPORTED',
  );
}

function namedTool(tool: Static<typeof NAMED>): NamedTool | undefined {
  if (tool.type === 'custom' && tool.custom) return { name: tool.custom.name, isCustom: true };
  return tool.type === 'function' && tool.function ? { name: tool.function.name } : undefined;
}
