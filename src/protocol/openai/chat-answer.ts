/** Events -> answer of /v1/chat/completions. */
import type {
  AnswerPart,
  ConversationBody,
  ConversationEvent,
  ConversationWriter,
} from '../../core/conversation.js';
import type { ErrorReport } from '../../core/errors.js';
import type { TextLogprobs } from '../../core/generate.js';
import { sseFrame } from '../sse.js';
import type { AnswerHead } from './answer.js';
import { openAiError } from './error.js';
import { chatLogprobs } from './logprobs.js';
import type { StreamOptions } from './stream-options.js';
import { type ChatFinishReason, chatFinishReason, openAiUsage } from './usage.js';

export class ChatStreamWriter implements ConversationWriter {
  readonly #head: AnswerHead;
  readonly #includeUsage: boolean;
  readonly #greeted = new Set<number>();
  #usage = openAiUsage([]);
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

  push(event: ConversationEvent): string {
    if (event.type === 'finished') this.#usage = openAiUsage([event.usage], event.thoughtTokens);
    if (event.type !== 'parts' && event.type !== 'sequence') return '';
    const chunks = this.#greeting(event.sequence);
    if (event.type === 'sequence')
      chunks.push(this.#chunk(event.sequence, {}, null, chatFinishReason(event)));
    else this.#pushParts(event, chunks);
    return chunks.map(sseFrame).join('');
  }

  end(): string {
    const done = sseFrame('[DONE]');
    if (!this.#includeUsage) return done;
    const body = { ...this.#head, object: 'chat.completion.chunk', choices: [], usage: this.#usage };
    return sseFrame(JSON.stringify(body)) + done;
  }

  fail(report: ErrorReport, param: string | null): string {
    return sseFrame(JSON.stringify(openAiError(report, param)));
  }

  #pushParts(
    { sequence, parts, logprobs }: Extract<ConversationEvent, { type: 'parts' }>,
    chunks: string[],
  ): void {
    const [only] = parts;
    if (logprobs === undefined && parts.length === 1 && only?.type === 'text') {
      chunks.push(this.#textOnly(sequence, only.text));
      return;
    }
    // Log probabilities go with the first chunk of their tokens.
    let scores = logprobs ?? null;
    for (const delta of deltasOf(parts)) {
      chunks.push(this.#chunk(sequence, delta, scores, null));
      scores = null;
    }
    if (scores !== null) chunks.push(this.#chunk(sequence, { content: '' }, scores, null));
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
    finish_reason: ChatFinishReason | null,
  ): string {
    const choice = { index, delta, logprobs: logprobs && chatLogprobs(logprobs), finish_reason };
    const usage = this.#includeUsage ? { usage: null } : {};
    return JSON.stringify({ ...this.#head, object: 'chat.completion.chunk', choices: [choice], ...usage });
  }
}

function deltasOf(parts: readonly AnswerPart[]): object[] {
  return parts.flatMap((part): object[] => {
    switch (part.type) {
      case 'text':
        return [{ content: part.text }];
      case 'thought':
        return [{ reasoning_content: part.text }];
      case 'call':
        return [{ tool_calls: [{ index: part.call, ...callOf(part) }] }];
      case 'arguments':
        return [{ tool_calls: [{ index: part.call, function: { arguments: part.text } }] }];
      case 'input':
        return [{ tool_calls: [{ index: part.call, custom: { input: part.text } }] }];
      case 'call-end':
        return [];
    }
  });
}

/** A call while it is gathered. */
type Call =
  | { readonly id: string; readonly type: 'function'; function: { name: string; arguments: string } }
  | { readonly id: string; readonly type: 'custom'; custom: { name: string; input: string } };

function callOf({ id, name, isCustom }: Extract<AnswerPart, { type: 'call' }>): Call {
  if (isCustom) return { id, type: 'custom', custom: { name, input: '' } };
  return { id, type: 'function', function: { name, arguments: '' } };
}

/** One choice while it is gathered. */
interface Choice {
  text: string;
  thought: string;
  readonly calls: Call[];
  readonly logprobs: TextLogprobs[];
  finishReason: ChatFinishReason | undefined;
}

export class ChatBodyWriter implements ConversationBody {
  readonly #head: AnswerHead;
  readonly #choices = new Map<number, Choice>();
  #usage = openAiUsage([]);

  constructor(head: AnswerHead) {
    this.#head = head;
  }

  push(event: ConversationEvent): void {
    if (event.type === 'finished') this.#usage = openAiUsage([event.usage], event.thoughtTokens);
    if (event.type === 'sequence') this.#choiceOf(event.sequence).finishReason = chatFinishReason(event);
    if (event.type !== 'parts') return;
    const choice = this.#choiceOf(event.sequence);
    for (const part of event.parts) addPart(choice, part);
    if (event.logprobs) choice.logprobs.push(...event.logprobs);
  }

  body(): object {
    const choices = [...this.#choices.entries()]
      .toSorted(([a], [b]) => a - b)
      .map(([index, { logprobs, finishReason, ...choice }]) => ({
        index,
        message: messageOf(choice),
        logprobs: logprobs.length > 0 ? chatLogprobs(logprobs) : null,
        finish_reason: finishReason ?? 'stop',
      }));
    return { ...this.#head, object: 'chat.completion', choices, usage: this.#usage };
  }

  #choiceOf(index: number): Choice {
    let choice = this.#choices.get(index);
    if (choice === undefined) {
      choice = { text: '', thought: '', calls: [], logprobs: [], finishReason: undefined };
      this.#choices.set(index, choice);
    }
    return choice;
  }
}

function addPart(choice: Choice, part: AnswerPart): void {
  const { calls } = choice;
  if (part.type === 'text') choice.text += part.text;
  else if (part.type === 'thought') choice.thought += part.text;
  else if (part.type === 'call') calls.push(callOf(part));
  else if (part.type === 'arguments' || part.type === 'input') addToCall(calls[part.call]!, part.text);
}

function addToCall(call: Call, text: string): void {
  if (call.type === 'function') call.function.arguments += text;
  else call.custom.input += text;
}

/** Members that say nothing are left out, but for content. */
function messageOf({ text, thought, calls }: Pick<Choice, 'text' | 'thought' | 'calls'>): object {
  return {
    role: 'assistant',
    content: text === '' && (calls.length > 0 || thought !== '') ? null : text,
    refusal: null,
    ...(thought === '' ? {} : { reasoning_content: thought }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}
