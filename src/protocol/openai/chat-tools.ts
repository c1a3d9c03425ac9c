/** Tools of a chat in OpenAI's form. */
import { type Static, Type } from 'typebox';
import type { Tool } from '../../core/conversation.js';
import { checkedTools, FUNCTION, MAX_TOOLS, unsupportedTool } from '../conversation/tools.js';
import { OpenAiRequestError } from './error.js';
import { optional } from './optional.js';

const TOOL = Type.Object({ type: Type.String(), function: optional(FUNCTION) });

const NAMED = Type.Object({ name: Type.String() });

export const TOOL_MEMBERS = {
  tools: optional(Type.Array(TOOL, { maxItems: MAX_TOOLS })),
  tool_choice: optional(
    Type.Union([
      Type.String(),
      Type.Object({
        type: Type.String(),
        function: optional(NAMED),
        allowed_tools: optional(
          Type.Object({
            mode: Type.String(),
            tools: Type.Array(Type.Object({ type: Type.String(), function: optional(NAMED) })),
          }),
        ),
      }),
    ]),
  ),
  parallel_tool_calls: optional(Type.Boolean()),
};

/** @throws {OpenAiRequestError} for a tool that is no function, and for names that clash */
export function chatTools(tools: readonly Static<typeof TOOL>[]): Tool[] {
  const functions = tools.map((tool, i) => {
    const path = `tools.${i}`;
    if (tool.type !== 'function') throw unsupportedTool(`${path}.type`, tool.type);
    if (!tool.function) throw new OpenAiRequestError(`${path}.function`, `'${path}' lacks 'function'.`);
    return { path: `${path}.function.name`, function: tool.function };
  });
  return checkedTools(functions);
}
