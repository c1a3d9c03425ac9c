/** POST /v1/chat/completions: https://platform.openai.com/docs/api-reference/chat */
import { type Static, type TObject, Type } from 'typebox';
import type { ConversationRequest } from '../../core/conversation.js';
import type { ChatMessage, GenerateRequest } from '../../core/generate.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { isObject, type JsonObject } from '../json.js';
import { JsonCounter } from '../json-cost.js';
import { OpenAiRequestError } from './error.js';
import { ownFields } from './member-names.js';
import { offeredTools } from '../conversation/tools.js';
import { chatToolChoice, chatTools, TOOL_MEMBERS } from './chat-tools.js';
import { templateCall } from './custom-tools.js';
import { sharedFields } from './members.js';
import { MESSAGE_CONTENT, readContent, requireContent } from './message-content.js';
import { optional } from './optional.js';
import { requestReader } from './request-reader.js';
import { streamOptions, type StreamOptions } from './stream-options.js';

const MESSAGE = Type.Object({
  role: Type.String({ minLength: 1 }),
  content: Type.Optional(MESSAGE_CONTENT),
});

/** Members beside `chat_template_kwargs` that go to the chat template, as vLLM has them. */
const TEMPLATE_MEMBERS = {
  add_generation_prompt: optional(Type.Boolean()),
  continue_final_message: optional(Type.Boolean()),
  /** Name of one of the model's templates. */
  chat_template: optional(Type.String({ minLength: 1, maxLength: REQUEST_LIMITS.idCharacters.max })),
  documents: optional(Type.Array(Type.Object({}), { maxItems: REQUEST_LIMITS.contentParts.max })),
  reasoning_effort: optional(Type.String()),
};

/** Members about thoughts, named as vLLM, SGLang and llama.cpp name them. */
const THOUGHT_MEMBERS = {
  /** Largest thought in tokens. */
  thinking_token_budget: optional(Type.Integer({ minimum: 0 })),
  include_reasoning: optional(Type.Boolean()),
  separate_reasoning: optional(Type.Boolean()),
  reasoning_format: optional(Type.Enum(['none', 'auto', 'deepseek', 'deepseek-legacy'])),
};

const CHAT_MEMBERS = {
  messages: Type.Array(MESSAGE, { minItems: 1, maxItems: REQUEST_LIMITS.messages.max }),
  max_tokens: optional(Type.Integer({ minimum: 1 })),
  max_completion_tokens: optional(Type.Integer({ minimum: 1 })),
  logprobs: optional(Type.Boolean()),
  top_logprobs: optional(Type.Integer({ minimum: 0, maximum: 20 })),
  ...TOOL_MEMBERS,
  ...THOUGHT_MEMBERS,
  chat_template_kwargs: optional(Type.Record(Type.String(), Type.Unknown())),
  ...TEMPLATE_MEMBERS,
};

const readMembers = requestReader('chat', CHAT_MEMBERS);

export const { schema: CHAT_SCHEMA } = readMembers;

type ChatMembers = Static<TObject<typeof CHAT_MEMBERS>>;

export interface ChatRequest extends StreamOptions, ConversationRequest {}

/** @throws {OpenAiRequestError} that names the wrong member. */
export function readChatRequest(body: JsonObject): ChatRequest {
  const json = readMembers(body);
  if (json.top_logprobs && !json.logprobs) {
    throw new OpenAiRequestError('top_logprobs', `'top_logprobs' needs 'logprobs': true.`);
  }
  checkCallArguments(json.messages);
  const { tools, shown } = chatTools(json.tools ?? []);
  const offered = offeredTools(chatToolChoice(json.tool_choice), tools);
  const hasTools = offered.choice.type !== 'none' && offered.tools.length > 0;
  const templateArguments = templateArgumentsOf(json, hasTools ? { tools: shown } : {});
  const request: GenerateRequest = {
    ...sharedFields(json),
    // The answer goes on within a message instead of beginning one.
    ...(templateArguments['continue_final_message'] === true ? { continuesPrompt: true } : {}),
    ...ownFields({
      maxOutputTokens: json.max_completion_tokens ?? json.max_tokens,
      logprobs: json.logprobs ? (json.top_logprobs ?? 0) : undefined,
    }),
    prompt: {
      type: 'chat',
      messages: json.messages.map(readMessage),
      templateArguments,
    },
  };
  const isParallel = json.parallel_tool_calls ?? true;
  const thought = {
    isSeparate: json.separate_reasoning !== false && json.reasoning_format !== 'none',
    isShown: json.include_reasoning ?? true,
    maxTokens: json.thinking_token_budget ?? undefined,
  };
  return { ...streamOptions(json), ...offered, request, isParallel, thought };
}

/**
 * Arguments of earlier calls are JSON within a text of the body, and chat templates are given what it says.
 * @throws {AloftError} REQUEST_INVALID when all together are more than a body may be
 */
function checkCallArguments(messages: readonly JsonObject[]): void {
  const counter = new JsonCounter('The JSON in the arguments of tool calls');
  for (const { tool_calls: calls } of messages) {
    for (const call of Array.isArray(calls) ? calls : []) {
      const called = isObject(call) ? call['function'] : undefined;
      const text = isObject(called) ? called['arguments'] : undefined;
      if (typeof text === 'string') counter.add(text);
    }
  }
}

/** @throws {OpenAiRequestError} */
function templateArgumentsOf(json: ChatMembers, offered: object): Readonly<Record<string, unknown>> {
  const named = Object.keys(TEMPLATE_MEMBERS) as (keyof typeof TEMPLATE_MEMBERS)[];
  const given = named.flatMap((name) =>
    json[name] === undefined || json[name] === null ? [] : [[name, json[name]]],
  );
  const all: Readonly<Record<string, unknown>> = {
    ...(isWithoutThought(json) ? { enable_thinking: false } : {}),
    ...json.chat_template_kwargs,
    ...Object.fromEntries(given),
    ...offered,
  };
  const { chat_template: template } = json;
  if (typeof template === 'string' && /\{[{%#]/.test(template))
    throw new OpenAiRequestError(
      'chat_template',
      `'chat_template' is a template, but must be the name of one of the model's; templates of clients are not run.`,
      'UNSUPPORTED',
    );
  if (all['continue_final_message'] === true && all['add_generation_prompt'] === true)
    throw new OpenAiRequestError(
      'continue_final_message',
      `'continue_final_message' and 'add_generation_prompt' contradict each other: the last message goes on, or a new one begins.`,
    );
  return all;
}

/** Whether no thought is wanted, which most templates know by the name `enable_thinking`. */
const isWithoutThought = ({
  reasoning_effort: effort,
  thinking_token_budget: budget,
}: ChatMembers): boolean => effort === 'none' || budget === 0;

/** @throws {OpenAiRequestError} */
function readMessage(given: Static<typeof MESSAGE>, index: number): ChatMessage {
  requireContent(given.role, given.content, `messages.${index}.content`);
  const content = readContent(given.content, index);
  const members = Object.entries(given).filter(([name, value]) => !isAbsent(name, value));
  // OpenAI's newer name; chat templates of open models know only the older one.
  const role = given.role === 'developer' ? 'system' : given.role;
  return { ...Object.fromEntries(members), ...templateCalls(given, `messages.${index}`), role, content };
}

/** Calls of a message, if it has a list of them. */
function templateCalls({ tool_calls: calls }: JsonObject, path: string): { readonly tool_calls?: unknown[] } {
  if (!Array.isArray(calls) || calls.length === 0) return {};
  return { tool_calls: calls.map((call, i) => templateCall(call, `${path}.tool_calls.${i}`)) };
}

/** Whether a member says nothing. Templates take a list of calls that is there for a message that makes some. */
const isAbsent = (name: string, value: unknown): boolean =>
  value === null || (name === 'tool_calls' && Array.isArray(value) && value.length === 0);
