/** POST /v1/completions: https://platform.openai.com/docs/api-reference/completions */
import { Type } from 'typebox';
import type { GenerateRequest } from '../../core/generate.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import type { JsonObject } from '../json.js';
import { promptsOf } from './embeddings.js';
import { OpenAiRequestError } from './error.js';
import { ownFields } from './member-names.js';
import { sharedFields } from './members.js';
import { optional } from './optional.js';
import { requestReader } from './request-reader.js';
import { streamOptions, type StreamOptions } from './stream-options.js';

const tokenIds = Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 });

const COMPLETION_MEMBERS = {
  prompt: Type.Union([
    Type.String(),
    Type.Array(Type.String(), { minItems: 1, maxItems: REQUEST_LIMITS.prompts.max }),
    tokenIds,
    Type.Array(tokenIds, { minItems: 1, maxItems: REQUEST_LIMITS.prompts.max }),
  ]),
  max_tokens: optional(Type.Integer({ minimum: 0 })),
  best_of: optional(Type.Integer({ minimum: 1, maximum: 128 })),
  echo: optional(Type.Boolean()),
  logprobs: optional(Type.Integer({ minimum: 0, maximum: 20 })),
  add_special_tokens: optional(Type.Boolean()),
};

const readMembers = requestReader('completions', COMPLETION_MEMBERS);

export const { schema: COMPLETION_SCHEMA } = readMembers;

/** OpenAI's default. */
const DEFAULT_MAX_TOKENS = 16;

export interface CompletionRequest extends StreamOptions {
  /** One per prompt; their choices are numbered one after another. */
  readonly requests: readonly GenerateRequest[];
}

/** @throws {OpenAiRequestError} that names the wrong member. */
export function readCompletionRequest(body: JsonObject): CompletionRequest {
  const json = readMembers(body);
  const shared = sharedFields(json);
  const n = shared.sequenceCount ?? 1;
  const bestOf = json.best_of ?? n;
  if (bestOf < n) throw new OpenAiRequestError('best_of', `'best_of' must not be less than 'n'.`);
  if (json.stream && bestOf > n) throw new OpenAiRequestError('best_of', `'best_of' cannot be streamed.`);
  const fields = {
    ...shared,
    continuesPrompt: true,
    ...ownFields({
      maxOutputTokens: json.max_tokens ?? DEFAULT_MAX_TOKENS,
      bestOf: bestOf > n ? bestOf : undefined,
      echo: json.echo,
      logprobs: json.logprobs,
      promptLogprobs: json.echo ? json.logprobs : undefined,
    }),
  };
  const requests = promptsOf(json.prompt, json.add_special_tokens ?? true).map((prompt) => ({
    ...fields,
    prompt,
  }));
  return { ...streamOptions(json), requests };
}
