/** Events -> answer of /v1/chat/completions. */
import type { TextLogprobs } from '../../core/generate.js';
import type { Usage } from '../../core/request.js';
import type { AnswerHead, BodyWriter, PromptedEvent, StreamWriter } from './answer.js';
import { chatLogprobs } from './logprobs.js';
import type { StreamOptions } from './stream-options.js';
import { openAiFinishReason, openAiUsage } from './usage.js';

export class ChatStreamWriter implements StreamWriter {
  readonly #head: AnswerHead;
  readonly #includeUsage: boolean;
  readonly #greeted = new Set<number>();
  readonly #usages: Usage[] = [];
  /** JSON before the index of a chunk that holds only text, and JSON behind the text. */
  readonly #textChunk: readonly [before: string, behind: string];

  constructor(head: AnswerHead, options: StreamOptions) {
    this.#head = head;
    this.#includeUsage = options.includeUsage;
    const body = JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [] });
    this.#textChunk = [
      `${body.slice(0, -2)}{"index":`,
      `},"logprobs":null,"finish_reason":null}]${options.includeUsage ? ',"usage":null' : ''}}`,
    ];
  }

  push({ event }: PromptedEvent): string[] {
    if (event.type === 'finished') this.#usages.push(event.usage);
    if (event.type !== 'text' && event.type !== 'sequence') return [];
    const chunks = this.#greeting(event.sequence);
    if (event.type === 'sequence') {
      chunks.push(this.#chunk(event.sequence, {}, null, openAiFinishReason(event.finishReason)));
    } else if (event.logprobs !== undefined) {
      chunks.push(this.#chunk(event.sequence, { content: event.text }, event.logprobs, null));
    } else if (event.text !== '') chunks.push(this.#textOnly(event.sequence, event.text));
    return chunks;
  }

  end(): string[] {
    if (!this.#includeUsage) return [];
    const usage = openAiUsage(this.#usages);
    return [JSON.stringify({ ...this.#head, object: 'chat.completion.chunk', choices: [], usage })];
  }

  /** The first chunk of a choice carries the role. */
  #greeting(index: number): string[] {
    if (this.#greeted.has(index)) return [];
    this.#greeted.add(index);
    return [this.#chunk(index, { role: 'assistant', content: '' }, null, null)];
  }

  /** Writes the same as {@link chunk}, with all but two values written beforehand: most chunks are of this kind. */
  #textOnly(index: number, text: string): string {
    const [before, behind] = this.#textChunk;
    return `${before}${index},"delta":{"content":${JSON.stringify(text)}${behind}`;
  }

  #chunk(
    index: number,
    delta: object,
    logprobs: readonly TextLogprobs[] | null,
    finish_reason: 'stop' | 'length' | null,
  ): string {
    const choice = { index, delta, logprobs: logprobs && chatLogprobs(logprobs), finish_reason };
    const usage = this.#includeUsage ? { usage: null } : {};
    return JSON.stringify({ ...this.#head, object: 'chat.completion.chunk', choices: [choice], ...usage });
  }
}

export class ChatBodyWriter implements BodyWriter {
  readonly #head: AnswerHead;
  readonly #logprobs = new Map<number, TextLogprobs[]>();
  readonly #choices = new Map<number, object>();
  readonly #usages: Usage[] = [];

  constructor(head: AnswerHead) {
    this.#head = head;
  }

  push({ event }: PromptedEvent): void {
    if (event.type === 'finished') this.#usages.push(event.usage);
    if (event.type === 'text' && event.logprobs) {
      const soFar = this.#logprobs.get(event.sequence) ?? [];
      soFar.push(...event.logprobs);
      this.#logprobs.set(event.sequence, soFar);
    }
    if (event.type !== 'sequence') return;
    const logprobs = this.#logprobs.get(event.sequence);
    this.#choices.set(event.sequence, {
      index: event.sequence,
      message: { role: 'assistant', content: event.text, refusal: null },
      logprobs: logprobs ? chatLogprobs(logprobs) : null,
      finish_reason: openAiFinishReason(event.finishReason),
    });
  }

  body(): object {
    const choices = [...this.#choices.entries()].toSorted(([a], [b]) => a - b).map(([, choice]) => choice);
    return { ...this.#head, object: 'chat.completion', choices, usage: openAiUsage(this.#usages) };
  }
}
