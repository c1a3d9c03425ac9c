/** Models that answer a conversation: an engine in this process, or a server that speaks OpenAI's interface. */
import { HttpClient } from '../../client/http-client.js';
import { AloftError } from '../../core/errors.js';
import type { ChatMessage } from '../../core/generate.js';
import { present } from '../../core/present.js';
import type { LLM } from '../../llm/llm.js';
import { type ChatSettings, requestOptions } from './settings.js';

/** End of an answer. */
export interface ChatReply {
  readonly finishReason: string;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

export interface ChatModel {
  readonly name: string;
  /** Yields the text of the answer in pieces and returns how it ended. @throws {AloftError} the request's own error */
  answer(
    messages: readonly ChatMessage[],
    settings: ChatSettings,
    signal: AbortSignal,
  ): AsyncGenerator<string, ChatReply, void>;
}

export function engineModel(llm: LLM): ChatModel {
  return {
    name: llm.model.name,
    async *answer(messages, settings, signal) {
      let finishReason = '';
      for await (const event of llm.chat(messages, requestOptions(settings), signal)) {
        if (event.type === 'text') yield event.text;
        else if (event.type === 'sequence') finishReason = event.finishReason;
        else if (event.type === 'failed') throw new AloftError(event.error.code, event.error.message);
        else if (event.type === 'finished') return { finishReason, ...event.usage };
      }
      throw new AloftError('INTERNAL', 'The answer ended without an event that says so.');
    },
  };
}

interface ServerAddress {
  readonly url: string;
  readonly apiKey: string | undefined;
  /** Default: the first model that the server lists. */
  readonly model: string | undefined;
}

/** Members of a chunk of OpenAI's stream that a conversation needs. */
interface Chunk {
  readonly choices?: readonly {
    readonly delta: { readonly content?: string | null };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly error?: { readonly message: string };
}

/** @throws {AloftError} when the server is away, or lists no model */
export async function serverModel({ url, apiKey, model }: ServerAddress): Promise<ChatModel> {
  const client = new HttpClient({ url, ...present({ apiKey }) });
  const name = model ?? (await firstModel(client, url));
  return {
    name,
    async *answer(messages, settings, signal) {
      const { max_tokens: maxTokens, ...members } = settings;
      const options = { stream: true, stream_options: { include_usage: true } };
      const body = {
        model: name,
        messages,
        ...options,
        ...members,
        ...present({ max_completion_tokens: maxTokens }),
      };
      let reply: ChatReply = { finishReason: '', promptTokens: 0, outputTokens: 0 };
      for await (const event of client.stream('/v1/chat/completions', body, { signal })) {
        const { choices, usage, error } = event as Chunk;
        if (error !== undefined) throw new AloftError('MODEL_UNAVAILABLE', error.message);
        const [choice] = choices ?? [];
        if (choice?.finish_reason) reply = { ...reply, finishReason: choice.finish_reason };
        if (usage)
          reply = { ...reply, promptTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens };
        if (choice?.delta.content) yield choice.delta.content;
      }
      return reply;
    },
  };
}

async function firstModel(client: HttpClient, url: string): Promise<string> {
  const { data } = (await client.get('/v1/models')) as { data?: readonly { readonly id: string }[] };
  const [first] = data ?? [];
  if (first !== undefined) return first.id;
  throw new AloftError('MODEL_NOT_FOUND', `The server at ${url} has no model that is ready; load one there.`);
}
