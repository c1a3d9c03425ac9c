/** POST /v1/messages: https://docs.anthropic.com/en/api/messages */
import { type Static, Type } from 'typebox';
import type { ConversationRequest, ToolChoice } from '../../core/conversation.js';
import type { Constraint } from '../../core/constraint.js';
import type { GenerateRequest } from '../../core/generate.js';
import { present } from '../../core/present.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { memberReader } from '../conversation/member-reader.js';
import {
  checkedTools,
  type FunctionTool,
  MAX_TOOLS,
  templateTools,
  TOOL_NAME,
  TOOL_SCHEMA,
  toolChoice,
  unsupportedTool,
} from '../conversation/tools.js';
import type { JsonObject } from '../json.js';
import { readConstraint } from '../openai/constraint.js';
import { OpenAiRequestError } from '../openai/error.js';
import { optional } from '../openai/optional.js';
import { chatMessages, MESSAGE, SYSTEM } from './messages.js';

const TOOL = Type.Object({
  type: optional(Type.String()),
  name: TOOL_NAME,
  description: optional(Type.String()),
  input_schema: optional(TOOL_SCHEMA),
  strict: optional(Type.Boolean()),
});

const TOOL_CHOICE = Type.Object({
  type: Type.Enum(['auto', 'any', 'tool', 'none']),
  name: optional(Type.String()),
  disable_parallel_tool_use: optional(Type.Boolean()),
});

const THINKING = Type.Object({
  type: Type.Enum(['enabled', 'disabled', 'adaptive']),
  budget_tokens: optional(Type.Integer({ minimum: 0 })),
  display: optional(Type.String()),
});

/** Members that make the prompt. */
const PROMPT_MEMBERS = {
  model: Type.String({ minLength: 1, maxLength: REQUEST_LIMITS.idCharacters.max }),
  messages: Type.Array(MESSAGE, { minItems: 1, maxItems: REQUEST_LIMITS.messages.max }),
  system: optional(SYSTEM),
  tools: optional(Type.Array(TOOL, { maxItems: MAX_TOOLS })),
  tool_choice: optional(TOOL_CHOICE),
  thinking: optional(THINKING),
  output_config: optional(
    Type.Object({
      format: optional(Type.Object({ type: Type.String() })),
      effort: optional(Type.String()),
    }),
  ),
};

const MEMBERS = {
  ...PROMPT_MEMBERS,
  max_tokens: Type.Integer({ minimum: 1 }),
  stream: optional(Type.Boolean()),
  stop_sequences: optional(Type.Array(Type.String(), { maxItems: 64 })),
  temperature: optional(Type.Number({ minimum: 0, maximum: 2 })),
  top_p: optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
  top_k: optional(Type.Integer({ minimum: 0 })),
  metadata: optional(Type.Object({})),
};

/** Names of the members by those of GenerateRequest, for refusals of the engine. */
export const MESSAGE_NAMES = {
  prompt: 'messages',
  maxOutputTokens: 'max_tokens',
  stop: 'stop_sequences',
  temperature: 'temperature',
  topP: 'top_p',
  topK: 'top_k',
} as const satisfies Partial<Record<keyof GenerateRequest, string>>;

const readMembers = memberReader(MEMBERS);

export const { schema: MESSAGES_SCHEMA } = readMembers;
const readPromptMembers = memberReader(PROMPT_MEMBERS);

export const { schema: COUNT_TOKENS_SCHEMA } = readPromptMembers;

type PromptMembers = ReturnType<typeof readPromptMembers>;
type Members = ReturnType<typeof readMembers>;

export interface MessagesRequest extends ConversationRequest {
  readonly model: string;
  readonly isStream: boolean;
}

/** Members that ask for what is not done here. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  container: 'there is no code execution',
  mcp_servers: 'the client runs tools',
};

/** @throws {OpenAiRequestError} that names the wrong member */
export function readMessagesRequest(body: JsonObject): MessagesRequest {
  const json = readMembers(body);
  for (const [name, why] of Object.entries(UNSUPPORTED)) {
    const value = json[name];
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) continue;
    throw new OpenAiRequestError(name, `'${name}' is not supported: ${why}.`, 'UNSUPPORTED');
  }
  const { prompt, tools, choice } = readPrompt(json);
  const isThinking =
    json.thinking !== undefined && json.thinking !== null && json.thinking.type !== 'disabled';
  const request: GenerateRequest = {
    prompt,
    maxOutputTokens: json.max_tokens,
    ...present({
      temperature: json.temperature ?? 1,
      topP: json.top_p ?? undefined,
      topK: json.top_k === 0 ? undefined : (json.top_k ?? undefined),
      stop: json.stop_sequences?.filter((text) => text !== ''),
      constraint: constraintOf(json),
    }),
  };
  return {
    model: json.model,
    isStream: json.stream ?? false,
    request,
    tools,
    choice,
    isParallel: json.tool_choice?.disable_parallel_tool_use !== true,
    thought: {
      isSeparate: true,
      isShown: isThinking && json.thinking?.display !== 'omitted',
      maxTokens: isThinking ? (json.thinking?.budget_tokens ?? undefined) : undefined,
    },
    // The input of a call is an object here, so a call must have one.
    holdsObjects: true,
  };
}

/** POST /v1/messages/count_tokens. @throws {OpenAiRequestError} that names the wrong member */
export function readCountRequest(body: JsonObject): {
  readonly model: string;
  readonly prompt: GenerateRequest['prompt'];
} {
  const json = readPromptMembers(body);
  return { model: json.model, prompt: readPrompt(json).prompt };
}

function readPrompt(json: PromptMembers) {
  const functions = (json.tools ?? []).map(functionOf);
  const tools = checkedTools(functions.map((tool, i) => ({ path: `tools.${i}.name`, function: tool })));
  const choice = choiceOf(json.tool_choice, tools);
  const hasTools = tools.length > 0 && choice.type !== 'none';
  const { thinking, output_config: config } = json;
  const prompt = {
    type: 'chat',
    messages: chatMessages(json.system, json.messages),
    templateArguments: {
      enable_thinking: thinking !== undefined && thinking !== null && thinking.type !== 'disabled',
      ...present({ reasoning_effort: config?.effort ?? undefined }),
      ...(hasTools ? { tools: templateTools(functions) } : {}),
    },
  } as const;
  return { prompt, tools, choice };
}

/** @throws {OpenAiRequestError} for tools that the service itself would run */
function functionOf(tool: Static<typeof TOOL>, i: number): FunctionTool {
  const { type, name, description, input_schema: parameters, strict } = tool;
  if (type !== undefined && type !== null && type !== 'custom')
    throw unsupportedTool(`tools.${i}.type`, type);
  return { name, ...present({ description, parameters, strict }) };
}

function choiceOf(
  choice: Static<typeof TOOL_CHOICE> | null | undefined,
  tools: ReturnType<typeof checkedTools>,
): ToolChoice {
  if (choice === undefined || choice === null) return { type: 'auto' };
  if (choice.type === 'any') return toolChoice('required', tools);
  if (choice.type !== 'tool') return toolChoice(choice.type, tools);
  if (choice.name) return toolChoice({ name: choice.name }, tools);
  throw new OpenAiRequestError('tool_choice.name', `'tool_choice' of type 'tool' lacks 'name'.`);
}

function constraintOf({ output_config: config }: Members): Constraint | undefined {
  const format = config?.format as JsonObject | null | undefined;
  if (format === undefined || format === null) return undefined;
  const path = 'output_config.format';
  if (format['type'] !== 'json_schema')
    throw new OpenAiRequestError(path, `'${path}' must be of type 'json_schema'.`);
  return readConstraint({ response_format: { type: 'json_schema', json_schema: format } });
}
