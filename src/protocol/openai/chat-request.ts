/** POST /v1/chat/completions: https://platform.openai.com/docs/api-reference/chat */
import { type Static, type TObject, Type } from 'typebox';
import type { ChatMessage, GenerateRequest } from '../../core/generate.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { isObject, type JsonObject } from '../json.js';
import { JsonCounter } from '../json-cost.js';
import { OpenAiRequestError } from './error.js';
import { ownFields } from './member-names.js';
import { optional, sharedFields } from './members.js';
import { requestReader } from './request-reader.js';
import { streamOptions, type StreamOptions } from './stream-options.js';

const CONTENT_PART = Type.Object({ type: Type.String(), text: Type.Optional(Type.String()) });

const MESSAGE = Type.Object({
  role: Type.String({ minLength: 1 }),
  content: Type.Optional(
    Type.Union([
      Type.String(),
      Type.Null(),
      Type.Array(CONTENT_PART, { maxItems: REQUEST_LIMITS.contentParts.max }),
    ]),
  ),
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

const CHAT_MEMBERS = {
  messages: Type.Array(MESSAGE, { minItems: 1, maxItems: REQUEST_LIMITS.messages.max }),
  max_tokens: optional(Type.Integer({ minimum: 1 })),
  max_completion_tokens: optional(Type.Integer({ minimum: 1 })),
  logprobs: optional(Type.Boolean()),
  top_logprobs: optional(Type.Integer({ minimum: 0, maximum: 20 })),
  tools: optional(Type.Array(Type.Object({ type: Type.String() }), { maxItems: REQUEST_LIMITS.tools.max })),
  tool_choice: optional(Type.Union([Type.String(), Type.Object({ type: Type.String() })])),
  parallel_tool_calls: optional(Type.Boolean()),
  chat_template_kwargs: optional(Type.Record(Type.String(), Type.Unknown())),
  ...TEMPLATE_MEMBERS,
};

const readMembers = requestReader('chat', CHAT_MEMBERS);

type ChatMembers = Static<TObject<typeof CHAT_MEMBERS>>;

export interface ChatRequest extends StreamOptions {
  readonly request: GenerateRequest;
}

/** @throws {OpenAiRequestError} that names the wrong member. */
export function readChatRequest(body: JsonObject): ChatRequest {
  const json = readMembers(body);
  if (json.top_logprobs && !json.logprobs) {
    throw new OpenAiRequestError('top_logprobs', `'top_logprobs' needs 'logprobs': true.`);
  }
  checkCallArguments(json.messages);
  const templateArguments = templateArgumentsOf(json);
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
  return { ...streamOptions(json), request };
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
function templateArgumentsOf(json: ChatMembers): Readonly<Record<string, unknown>> {
  const named = Object.keys(TEMPLATE_MEMBERS) as (keyof typeof TEMPLATE_MEMBERS)[];
  const given = named.flatMap((name) =>
    json[name] === undefined || json[name] === null ? [] : [[name, json[name]]],
  );
  const tools = toolsOf(json);
  const all: Readonly<Record<string, unknown>> = {
    ...json.chat_template_kwargs,
    ...Object.fromEntries(given),
    ...(tools === undefined ? {} : { tools }),
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
  if (tools !== undefined && json.parallel_tool_calls === false)
    throw new OpenAiRequestError(
      'parallel_tool_calls',
      `'parallel_tool_calls' false is not supported: without guided decoding the number of calls cannot be kept; leave it out.`,
      'UNSUPPORTED',
    );
  return all;
}

/** Tools that the template is given. A call of one can be offered to the model, but not be forced on it. */
function toolsOf({ tools, tool_choice: choice }: ChatMembers): readonly object[] | undefined {
  const given = tools?.length ? tools : undefined;
  if (choice === undefined || choice === null || choice === 'auto') return given;
  if (choice === 'none') return undefined;
  if (typeof choice === 'string' && choice !== 'required') {
    const message = `'tool_choice' is '${choice}', but must be 'none', 'auto' or 'required', or name a function.`;
    throw new OpenAiRequestError('tool_choice', message);
  }
  if (given === undefined)
    throw new OpenAiRequestError('tool_choice', `'tool_choice' is only allowed when 'tools' are specified.`);
  const asked = typeof choice === 'string' ? `'${choice}'` : `of type '${choice.type}'`;
  throw new OpenAiRequestError(
    'tool_choice',
    `tool_choice ${asked} is not supported: without guided decoding no call can be guaranteed; use 'auto' and name the tool in a message.`,
    'UNSUPPORTED',
  );
}

function readMessage(given: Static<typeof MESSAGE>, index: number): ChatMessage {
  const content = readContent(given.content, index);
  const members = Object.entries(given).filter(([name, value]) => !isAbsent(name, value));
  // OpenAI's newer name; chat templates of open models know only the older one.
  const role = given.role === 'developer' ? 'system' : given.role;
  return { ...Object.fromEntries(members), role, content };
}

/** Whether a member says nothing. Templates take a list of calls that is there for a message that makes some. */
const isAbsent = (name: string, value: unknown): boolean =>
  value === null || (name === 'tool_calls' && Array.isArray(value) && value.length === 0);

function readContent(content: Static<typeof MESSAGE>['content'], index: number): string | null {
  if (content === undefined || content === null || typeof content === 'string') return content ?? null;
  const texts = content.map((part) => {
    if (part.type === 'text' && part.text !== undefined) return part.text;
    const path = `messages.${index}.content`;
    throw new OpenAiRequestError(
      path,
      `'${path}' has a part of type '${part.type}'; only text parts are supported.`,
      'UNSUPPORTED',
    );
  });
  return texts.join('');
}
