/** The server's interfaces as the page uses them. */
import { HttpClient } from '../../src/client/http-client.js';
import type { ScoredToken } from '../../src/client/whole-tokens.js';
import type { JsonObject, JsonValue } from '../../src/protocol/json.js';
import { isObject } from '../../src/protocol/json.js';

export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** What is undefined is not sent: the model's own value holds. */
export interface Sampling {
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly topK: number | undefined;
  readonly maxTokens: number | undefined;
  readonly repetitionPenalty: number | undefined;
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
  /** Tokens of the prompt and of the whole answer; they come last. */
  readonly promptTokens: number | undefined;
  readonly outputTokens: number | undefined;
}

export function client(apiKey: string): HttpClient {
  return new HttpClient({ url: location.origin, ...(apiKey === '' ? {} : { apiKey }) });
}

export interface ServedModel {
  readonly name: string;
  /** Most tokens of an answer. */
  readonly maxOutputTokens: number;
}

export async function listModels(apiKey: string): Promise<ServedModel[]> {
  const { data } = await client(apiKey).get('/v1/models');
  return list(data).map((entry) => ({
    name: text(member(entry, 'id')),
    maxOutputTokens: Number(member(entry, 'max_output_len') ?? member(entry, 'max_model_len')),
  }));
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
    ...given('temperature', sampling.temperature),
    ...given('top_p', sampling.topP),
    ...given('top_k', sampling.topK),
    ...given('max_tokens', sampling.maxTokens),
    ...given('repetition_penalty', sampling.repetitionPenalty),
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
    const [promptTokens, outputTokens] = ['prompt_tokens', 'completion_tokens'].map((name) =>
      countOf(member(chunk['usage'], name)),
    );
    if (choice === undefined && outputTokens === undefined) continue;
    const finish = member(choice, 'finish_reason');
    yield {
      text: isChat ? text(member(member(choice, 'delta'), 'content')) : text(member(choice, 'text')),
      tokens: isChat ? chatTokens(choice) : completionTokens(choice),
      finishReason: typeof finish === 'string' ? finish : undefined,
      promptTokens,
      outputTokens,
    };
  }
}

function given(name: string, value: number | undefined): JsonObject {
  return value === undefined ? {} : { [name]: value };
}

function countOf(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
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
