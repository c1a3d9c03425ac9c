/** POST /v1/responses: https://platform.openai.com/docs/api-reference/responses */
import { type Static, Type } from 'typebox';
import type { ConversationRequest, Tool } from '../../../core/conversation.js';
import type { ChatMessage } from '../../../core/generate.js';
import { REQUEST_LIMITS } from '../../../core/request-limits.js';
import {
  checkedTools,
  type GivenChoice,
  MAX_TOOLS,
  type NamedTool,
  offeredTools,
  type PlacedFunction,
  templateTools,
  TOOL_NAME,
  TOOL_SCHEMA,
  unsupportedTool,
} from '../../conversation/tools.js';
import type { JsonObject } from '../../json.js';
import { formatConstraint } from '../constraint.js';
import { FLAT_FORMAT, responsesCustomTool } from '../custom-tools.js';
import { OpenAiRequestError } from '../error.js';
import { memberNames, ownFields } from '../member-names.js';
import { sharedFields } from '../members.js';
import { optional } from '../optional.js';
import { requestReader } from '../request-reader.js';
import { INPUT_ITEM, itemMessages } from './items.js';
import type { OutputItem } from './output.js';

const TOOL = Type.Object({
  type: Type.String(),
  name: optional(TOOL_NAME),
  description: optional(Type.String()),
  parameters: optional(TOOL_SCHEMA),
  strict: optional(Type.Boolean()),
  format: optional(FLAT_FORMAT),
});

/** Names of the members by those of GenerateRequest, for refusals of the engine. */
export const RESPONSE_NAMES = memberNames('input', { maxOutputTokens: 'max_output_tokens' });

const MAX_ITEMS = 2 * REQUEST_LIMITS.messages.max;

const RESPONSE_MEMBERS = {
  input: Type.Union([Type.String(), Type.Array(INPUT_ITEM, { minItems: 1, maxItems: MAX_ITEMS })]),
  instructions: optional(Type.String()),
  previous_response_id: optional(Type.String({ maxLength: REQUEST_LIMITS.idCharacters.max })),
  store: optional(Type.Boolean()),
  n: optional(Type.Literal(1)),
  max_output_tokens: optional(Type.Integer({ minimum: 1 })),
  tools: optional(Type.Array(TOOL, { maxItems: MAX_TOOLS })),
  tool_choice: optional(
    Type.Union([
      Type.String(),
      Type.Object({
        type: Type.String(),
        name: optional(Type.String()),
        mode: optional(Type.String()),
        tools: optional(Type.Array(Type.Object({ type: Type.String(), name: optional(Type.String()) }))),
      }),
    ]),
  ),
  parallel_tool_calls: optional(Type.Boolean()),
  text: optional(
    Type.Object({
      format: optional(Type.Object({ type: Type.String() })),
      verbosity: optional(Type.String()),
    }),
  ),
  include: optional(Type.Array(Type.String())),
  reasoning: optional(Type.Object({ effort: optional(Type.String()) })),
  thinking_token_budget: optional(Type.Integer({ minimum: 0 })),
  chat_template_kwargs: optional(Type.Record(Type.String(), Type.Unknown())),
  metadata: optional(Type.Record(Type.String(), Type.String())),
};

const readMembers = requestReader('responses', RESPONSE_MEMBERS);

export const { schema: RESPONSE_SCHEMA } = readMembers;

type Members = ReturnType<typeof readMembers>;

export interface ResponseRequest extends ConversationRequest {
  readonly model: string;
  readonly isStream: boolean;
  readonly previousId: string | undefined;
  readonly isStored: boolean;
  /** Messages of this request alone, without instructions. */
  readonly messages: readonly ChatMessage[];
  /** Members that the answer repeats. */
  readonly echoed: JsonObject;
}

export interface EarlierResponses {
  /** Messages up to and with a response. */
  readonly messagesOf: (id: string) => readonly ChatMessage[];
  readonly itemOf: (id: string) => OutputItem;
}

/**
 * @param earlier responses that the request may continue or name items of
 * @throws {OpenAiRequestError} that names the wrong member
 */
export function readResponseRequest(body: JsonObject, earlier: EarlierResponses): ResponseRequest {
  const json = readMembers(body);
  refuseIgnored(json);
  const functions = (json.tools ?? []).map(placedFunction);
  const tools = checkedTools(functions);
  const offered = offeredTools(choiceOf(json.tool_choice), tools);
  const hasTools = tools.length > 0 && offered.choice.type !== 'none';
  const messages = itemMessages(json.input, earlier.itemOf);
  const previousId = json.previous_response_id ?? undefined;
  const all = [...(previousId === undefined ? [] : earlier.messagesOf(previousId)), ...messages];
  const effort = json.reasoning?.effort ?? undefined;
  const budget = json.thinking_token_budget ?? undefined;
  const prompt = {
    type: 'chat',
    messages: withInstructions(json.instructions ?? undefined, all),
    templateArguments: {
      ...(effort === 'none' || budget === 0 ? { enable_thinking: false } : {}),
      ...json.chat_template_kwargs,
      ...(effort === undefined ? {} : { reasoning_effort: effort }),
      ...(hasTools ? { tools: templateTools(functions.map((tool) => tool.function)) } : {}),
    },
  } as const;
  return {
    model: json.model,
    isStream: json.stream ?? false,
    previousId,
    isStored: json.store ?? true,
    messages: all,
    request: { ...formed(json), ...ownFields({ maxOutputTokens: json.max_output_tokens }), prompt },
    ...offered,
    isParallel: json.parallel_tool_calls ?? true,
    thought: { isSeparate: true, isShown: true, maxTokens: budget },
    echoed: echoedMembers(json, tools),
  };
}

/** Wishes within members of which others are met. @throws {OpenAiRequestError} for those that are not */
function refuseIgnored({ text, include }: Members): void {
  const verbosity = text?.verbosity ?? 'medium';
  if (verbosity !== 'medium')
    throw new OpenAiRequestError(
      'text.verbosity',
      `'text.verbosity' is '${verbosity}', which is not supported: say in the instructions how long the answer should be.`,
      'UNSUPPORTED',
    );
  // Others ask for what tools of OpenAI's service find, or for thoughts in a form that comes back: they are in the answer as text.
  if (include?.includes('message.output_text.logprobs'))
    throw new OpenAiRequestError(
      'include',
      `'include' asks for 'message.output_text.logprobs', which is not supported: use /v1/chat/completions.`,
      'UNSUPPORTED',
    );
}

/** Members of both kinds, and the form of the text. @throws {OpenAiRequestError} for two forms */
function formed(json: Members) {
  const { text, ...shared } = json;
  const fields = sharedFields(shared);
  const format = text?.format as JsonObject | null | undefined;
  if (format === undefined || format === null) return fields;
  const constraint = formatConstraint({ type: format['type']!, json_schema: format }, 'text.format');
  if (constraint === undefined) return fields;
  if (fields.constraint === undefined) return { ...fields, constraint };
  const message = `'text.format' and another member both ask for a form of the answer; send one of them.`;
  throw new OpenAiRequestError('text.format', message);
}

/** @throws {OpenAiRequestError} for tools that OpenAI's service itself would run */
function placedFunction(tool: Static<typeof TOOL>, i: number): PlacedFunction {
  const path = `tools.${i}`;
  const { type, name } = tool;
  if (type !== 'function' && type !== 'custom') throw unsupportedTool(`${path}.type`, type);
  if (!name) throw new OpenAiRequestError(`${path}.name`, `'${path}' lacks 'name'.`);
  if (type === 'custom') return responsesCustomTool({ ...tool, name }, path);
  return { path: `${path}.name`, function: { ...tool, name } };
}

/** @throws {OpenAiRequestError} */
function choiceOf(choice: Members['tool_choice']): GivenChoice {
  if (choice === undefined || choice === null || typeof choice === 'string') return choice;
  const { type, name, mode, tools } = choice;
  if ((type === 'function' || type === 'custom') && name) return namedTool(choice);
  if (type === 'allowed_tools') return { mode: mode ?? 'auto', allowed: (tools ?? []).map(namedTool) };
  const message = `'tool_choice' is of type '${type}', but must be 'none', 'auto' or 'required', name a function or a custom tool, or be of type 'allowed_tools'.`;
  throw new OpenAiRequestError('tool_choice', message, 'UNSUPPORTED');
}

const namedTool = ({ type, name }: { readonly type: string; readonly name?: string | null }): NamedTool => ({
  name: name ?? '',
  isCustom: type === 'custom',
});

/** Instructions come first, joined with the system's messages there: most templates know one of these only. */
function withInstructions(
  instructions: string | undefined,
  messages: readonly ChatMessage[],
): readonly ChatMessage[] {
  const firstOther = messages.findIndex(({ role }) => role !== 'system');
  const count = firstOther < 0 ? messages.length : firstOther;
  const systems = messages.slice(0, count).map(({ content }) => content ?? '');
  const texts = instructions === undefined ? systems : [instructions, ...systems];
  if (texts.length === 0) return messages;
  return [{ role: 'system', content: texts.join('\n\n') }, ...messages.slice(count)];
}

function echoedMembers(json: Members, tools: readonly Tool[]): JsonObject {
  const { instructions, metadata, reasoning, text, previous_response_id: previous } = json as JsonObject;
  return {
    instructions: instructions ?? null,
    max_output_tokens: json.max_output_tokens ?? null,
    metadata: metadata ?? {},
    parallel_tool_calls: json.parallel_tool_calls ?? true,
    previous_response_id: previous ?? null,
    reasoning: reasoning ?? null,
    store: json.store ?? true,
    temperature: (json['temperature'] as number | null | undefined) ?? null,
    text: text ?? { format: { type: 'text' } },
    tool_choice: (json as JsonObject)['tool_choice'] ?? 'auto',
    tools: tools.length === 0 ? [] : ((json as JsonObject)['tools'] ?? []),
    top_p: (json['top_p'] as number | null | undefined) ?? null,
    truncation: 'disabled',
  };
}
