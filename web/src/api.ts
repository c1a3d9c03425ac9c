/** The server's interfaces as the page uses them. */
import { HttpClient } from '../../src/client/http-client.js';
import type { ScoredToken } from '../../src/client/whole-tokens.js';
import type { JsonObject, JsonValue } from '../../src/protocol/json.js';
import { isObject } from '../../src/protocol/json.js';

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** A token with its probability and what else was likely. */
export interface Sampling {
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly maxTokens: number;
  readonly repetitionPenalty: number;
  /** Empty: random. */
  readonly seed: string;
  /** One to a line. */
  readonly stop: string;
  /** JSON schema of the answer; empty: any text. */
  readonly schema: string;
  readonly showProbabilities: boolean;
}

export interface Delta {
  readonly text: string;
  readonly tokens: readonly ScoredToken[];
  readonly finishReason: string | undefined;
  /** Tokens of the whole answer; comes last. */
  readonly outputTokens: number | undefined;
}

export function client(apiKey: string): HttpClient {
  return new HttpClient({ url: location.origin, ...(apiKey === '' ? {} : { apiKey }) });
}

export async function listModels(apiKey: string): Promise<string[]> {
  const { data } = await client(apiKey).get('/v1/models');
  return list(data).map((entry) => text(member(entry, 'id')));
}

/** The answer to a conversation, or the continuation of a text, as it comes. */
export async function* answer(
  target: { readonly model: string; readonly apiKey: string; readonly signal: AbortSignal },
  input: { readonly messages: readonly Message[] } | { readonly prompt: string },
  sampling: Sampling,
): AsyncGenerator<Delta, void, void> {
  const isChat = 'messages' in input;
  const shared = {
    model: target.model,
    stream: true,
    stream_options: { include_usage: true },
    temperature: sampling.temperature,
    top_p: sampling.topP,
    ...(sampling.topK > 0 ? { top_k: sampling.topK } : {}),
    max_tokens: sampling.maxTokens,
    repetition_penalty: sampling.repetitionPenalty,
    ...(/^\d+$/.test(sampling.seed) ? { seed: BigInt(sampling.seed) } : {}),
    ...(sampling.schema.trim() === '' ? {} : { json_schema: sampling.schema }),
    ...(sampling.stop.trim() === '' ? {} : { stop: sampling.stop.split('\n').filter((line) => line !== '') }),
  };
  const scored = isChat ? { logprobs: true, top_logprobs: 5 } : { logprobs: 5 };
  const body = { ...shared, ...input, ...(sampling.showProbabilities ? scored : {}) };
  const path = isChat ? '/v1/chat/completions' : '/v1/completions';
  for await (const chunk of client(target.apiKey).stream(path, body, { signal: target.signal })) {
    if (chunk['error'] !== undefined) throw new Error(text(member(chunk['error'], 'message')));
    const [choice] = list(chunk['choices']);
    const outputTokens = member(chunk['usage'], 'completion_tokens');
    if (choice === undefined && outputTokens === undefined) continue;
    const finish = member(choice, 'finish_reason');
    yield {
      text: isChat ? text(member(member(choice, 'delta'), 'content')) : text(member(choice, 'text')),
      tokens: isChat ? chatTokens(choice) : completionTokens(choice),
      finishReason: typeof finish === 'string' ? finish : undefined,
      outputTokens: typeof outputTokens === 'number' ? outputTokens : undefined,
    };
  }
}

function chatTokens(choice: JsonValue | undefined): ScoredToken[] {
  return list(member(member(choice, 'logprobs'), 'content')).map((entry) => ({
    text: text(member(entry, 'token')),
    probability: Math.exp(Number(member(entry, 'logprob'))),
    others: list(member(entry, 'top_logprobs')).map((other) => ({
      text: text(member(other, 'token')),
      probability: Math.exp(Number(member(other, 'logprob'))),
    })),
  }));
}

function completionTokens(choice: JsonValue | undefined): ScoredToken[] {
  const logprobs = member(choice, 'logprobs');
  const scores = list(member(logprobs, 'token_logprobs'));
  const tops = list(member(logprobs, 'top_logprobs'));
  return list(member(logprobs, 'tokens')).map((token, i) => ({
    text: text(token),
    probability: Math.exp(Number(scores[i])),
    others: Object.entries(objectOf(tops[i])).map(([other, score]) => ({
      text: other,
      probability: Math.exp(Number(score)),
    })),
  }));
}

function member(value: JsonValue | undefined, key: string): JsonValue | undefined {
  return isObject(value) ? value[key] : undefined;
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
