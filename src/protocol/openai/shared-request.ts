/** The members that both request kinds have -> the text-level request. */
import { present } from '../../core/present.js';
import type { Static, TObject } from 'typebox';
import type { GenerateRequest } from '../../core/generate.js';
import { OpenAiRequestError } from './error.js';
import type { SHARED_MEMBERS } from './schema.js';

export type SharedRequest = Static<TObject<typeof SHARED_MEMBERS>>;

/** What decides the form of the answer rather than the generation. */
export interface StreamOptions {
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** @throws {OpenAiRequestError} */
export function streamOptions(json: SharedRequest): StreamOptions {
  if (json.stream_options && !json.stream)
    throw new OpenAiRequestError('stream_options', `'stream_options' needs 'stream': true.`);
  return {
    model: json.model,
    stream: json.stream ?? false,
    includeUsage: json.stream_options?.include_usage ?? false,
  };
}

/** OpenAI's default temperature is 1: full sampling. */
export function sharedFields(json: SharedRequest): Omit<GenerateRequest, 'prompt'> {
  const stop = typeof json.stop === 'string' ? [json.stop] : json.stop;
  return present({
    temperature: json.temperature ?? 1,
    topP: json.top_p,
    topK: json.top_k === -1 ? 0 : json.top_k,
    minP: json.min_p,
    repetitionPenalty: json.repetition_penalty,
    presencePenalty: json.presence_penalty,
    frequencyPenalty: json.frequency_penalty,
    minTokens: json.min_tokens,
    logitBias: json.logit_bias,
    seed: json.seed === null || json.seed === undefined ? undefined : BigInt.asUintN(64, BigInt(json.seed)),
    sequenceCount: json.n,
    stop: stop?.filter((text) => text !== ''),
    stopTokenLists: json.stop_token_ids?.map((id) => [id]),
    includeStop: json.include_stop_str_in_output,
    ignoreEos: json.ignore_eos,
    skipSpecialTokens: json.skip_special_tokens,
    truncatePromptTokens: json.truncate_prompt_tokens,
    priority: json.priority,
    cacheSalt: json.cache_salt,
  });
}
