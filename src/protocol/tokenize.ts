/** POST /tokenize and /detokenize, in the form of vLLM */
import { Type } from 'typebox';
import type { Prompt } from '../core/generate.js';
import { REQUEST_LIMITS } from '../core/request-limits.js';
import { memberReader } from './conversation/member-reader.js';
import type { JsonObject } from './json.js';
import { readChatRequest } from './openai/chat-request.js';
import { OpenAiRequestError } from './openai/error.js';
import { optional } from './openai/optional.js';

const MODEL = optional(Type.String({ minLength: 1, maxLength: REQUEST_LIMITS.idCharacters.max }));

const readTokenizeMembers = memberReader({
  model: MODEL,
  /** Text to tokenise; a chat has `messages` and the members of a chat request instead. */
  prompt: optional(Type.String()),
  messages: optional(Type.Array(Type.Object({}))),
  add_special_tokens: optional(Type.Boolean()),
  return_token_strs: optional(Type.Boolean()),
});

export const { schema: TOKENIZE_SCHEMA } = readTokenizeMembers;

const readDetokenizeMembers = memberReader({
  model: MODEL,
  tokens: Type.Array(Type.Integer({ minimum: 0 }), { maxItems: REQUEST_LIMITS.jsonValues.max }),
  skip_special_tokens: optional(Type.Boolean()),
});

export const { schema: DETOKENIZE_SCHEMA } = readDetokenizeMembers;

export interface TokenizeRequest {
  /** Undefined: the only one. */
  readonly model: string | undefined;
  readonly prompt: Prompt;
  readonly returnsTexts: boolean;
}

/** @throws {OpenAiRequestError} that names the wrong member */
export function readTokenizeRequest(body: JsonObject): TokenizeRequest {
  const json = readTokenizeMembers(body);
  const { prompt: text } = json;
  const isText = typeof text === 'string';
  if (isText === Array.isArray(json.messages))
    throw new OpenAiRequestError('prompt', `The request must have 'prompt' or 'messages', and not both.`);
  const prompt: Prompt = isText
    ? { type: 'text', text, addSpecialTokens: json.add_special_tokens ?? true }
    : readChatRequest({ ...body, model: json.model ?? '-', add_special_tokens: false }).request.prompt;
  return { model: json.model ?? undefined, prompt, returnsTexts: json.return_token_strs ?? false };
}

export interface DetokenizeRequest {
  readonly model: string | undefined;
  readonly tokenIds: readonly number[];
  readonly skipSpecialTokens: boolean;
}

/** @throws {OpenAiRequestError} that names the wrong member */
export function readDetokenizeRequest(body: JsonObject): DetokenizeRequest {
  const { model, tokens, skip_special_tokens: skips } = readDetokenizeMembers(body);
  return { model: model ?? undefined, tokenIds: tokens, skipSpecialTokens: skips ?? false };
}
