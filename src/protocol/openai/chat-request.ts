/** POST /v1/chat/completions: https://platform.openai.com/docs/api-reference/chat */
import { type Static, type TObject, Type } from 'typebox';
import type { ChatMessage, GenerateRequest } from '../../core/generate.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import type { JsonObject } from '../json.js';
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
      Type.Array(CONTENT_PART, { maxItems: REQUEST_LIMITS.messageParts.max }),
    ]),
  ),
});

const CHAT_MEMBERS = {
  messages: Type.Array(MESSAGE, { minItems: 1, maxItems: REQUEST_LIMITS.messages.max }),
  max_tokens: optional(Type.Integer({ minimum: 1 })),
  max_completion_tokens: optional(Type.Integer({ minimum: 1 })),
  logprobs: optional(Type.Boolean()),
  top_logprobs: optional(Type.Integer({ minimum: 0, maximum: 20 })),
  response_format: optional(Type.Object({ type: Type.String() })),
  tools: optional(Type.Array(Type.Object({ type: Type.String() }), { maxItems: REQUEST_LIMITS.tools.max })),
  tool_choice: optional(Type.Union([Type.String(), Type.Object({ type: Type.String() })])),
  chat_template_kwargs: optional(Type.Record(Type.String(), Type.Unknown())),
};

const readMembers = requestReader(CHAT_MEMBERS);

export interface ChatRequest extends StreamOptions {
  readonly request: GenerateRequest;
}

/** @throws {OpenAiRequestError} that names the wrong member. */
export function readChatRequest(body: JsonObject): ChatRequest {
  const json = readMembers(body);
  const format = json.response_format?.type ?? 'text';
  if (format !== 'text') {
    const message = `response_format '${format}' is not supported; only 'text' is.`;
    throw new OpenAiRequestError('response_format', message, 'UNSUPPORTED');
  }
  if (json.top_logprobs && !json.logprobs) {
    throw new OpenAiRequestError('top_logprobs', `'top_logprobs' needs 'logprobs': true.`);
  }
  const tools = toolsOf(json);
  const request: GenerateRequest = {
    ...sharedFields(json),
    ...ownFields({
      maxOutputTokens: json.max_completion_tokens ?? json.max_tokens,
      logprobs: json.logprobs ? (json.top_logprobs ?? 0) : undefined,
    }),
    prompt: {
      type: 'chat',
      messages: json.messages.map(readMessage),
      templateArguments: { ...json.chat_template_kwargs, ...(tools === undefined ? {} : { tools }) },
    },
  };
  return { ...streamOptions(json), request };
}

/** Tools that the template is given. A call of one can be offered to the model, but not be forced on it. */
function toolsOf({
  tools,
  tool_choice: choice,
}: Static<TObject<typeof CHAT_MEMBERS>>): readonly object[] | undefined {
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
