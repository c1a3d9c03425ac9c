/** Events -> answer of /v1/messages. */
import type {
  AnswerPart,
  ConversationBody,
  ConversationEvent,
  ConversationWriter,
} from '../../core/conversation.js';
import type { ErrorReport } from '../../core/errors.js';
import type { Usage } from '../../core/request.js';
import { typedFrame } from '../sse.js';
import { anthropicError } from './error.js';

export interface MessageHead {
  readonly id: string;
  readonly model: string;
}

type SequenceEnd = Extract<ConversationEvent, { type: 'sequence' }>;

const message = ({ id, model }: MessageHead, content: readonly object[]) => ({
  id,
  type: 'message',
  role: 'assistant',
  model,
  content,
});

function usageOf({ promptTokens, cachedPromptTokens, outputTokens }: Usage): object {
  return {
    input_tokens: promptTokens - cachedPromptTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedPromptTokens,
    output_tokens: outputTokens,
  };
}

function stopOf(end: SequenceEnd | undefined): object {
  const reason = end?.finishReason;
  const stop_sequence = reason === 'stop_word' ? (end?.stop ?? null) : null;
  if (reason === 'length') return { stop_reason: 'max_tokens', stop_sequence };
  if (stop_sequence !== null) return { stop_reason: 'stop_sequence', stop_sequence };
  return { stop_reason: (end?.callCount ?? 0) > 0 ? 'tool_use' : 'end_turn', stop_sequence };
}

/** A block that has begun, and the change that a part makes of it. */
const BLOCKS = {
  text: { type: 'text', text: '' },
  thought: { type: 'thinking', thinking: '', signature: '' },
} as const;

export class MessagesStreamWriter implements ConversationWriter {
  readonly #head: MessageHead;
  #index = -1;
  /** Kind of the block that is open. */
  #open: 'text' | 'thought' | 'call' | undefined;
  #end: SequenceEnd | undefined;
  #usage: Usage | undefined;

  constructor(head: MessageHead) {
    this.#head = head;
  }

  push(event: ConversationEvent): string {
    switch (event.type) {
      case 'started':
        return this.#started(event.promptTokenCount);
      case 'parts':
        return event.parts.map((part) => this.#part(part)).join('');
      case 'sequence':
        this.#end = event;
        return this.#close();
      case 'finished':
        this.#usage = event.usage;
        return '';
    }
  }

  end(): string {
    const usage = this.#usage === undefined ? { output_tokens: 0 } : usageOf(this.#usage);
    return (
      this.#close() +
      typedFrame({ type: 'message_delta', delta: stopOf(this.#end), usage }) +
      typedFrame({ type: 'message_stop' })
    );
  }

  fail(report: ErrorReport): string {
    return typedFrame({ ...anthropicError(report) });
  }

  #started(inputTokens: number): string {
    // The part of the prompt that is kept is known at the end; clients add these up from here on.
    const cached = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
    const usage = { input_tokens: inputTokens, ...cached, output_tokens: 0 };
    const begun = { ...message(this.#head, []), stop_reason: null, stop_sequence: null, usage };
    return typedFrame({ type: 'message_start', message: begun });
  }

  #part(part: AnswerPart): string {
    switch (part.type) {
      case 'text':
        return this.#enter('text') + this.#delta({ type: 'text_delta', text: part.text });
      case 'thought':
        return this.#enter('thought') + this.#delta({ type: 'thinking_delta', thinking: part.text });
      case 'call':
        return this.#begin('call', { type: 'tool_use', id: part.id, name: part.name, input: {} });
      case 'arguments':
        return this.#delta({ type: 'input_json_delta', partial_json: part.text });
      case 'input':
        // The interface has no custom tools.
        return '';
      case 'call-end':
        return this.#close();
    }
  }

  #enter(kind: 'text' | 'thought'): string {
    return this.#open === kind ? '' : this.#begin(kind, BLOCKS[kind]);
  }

  #begin(kind: 'text' | 'thought' | 'call', content_block: object): string {
    const closed = this.#close();
    this.#open = kind;
    return closed + typedFrame({ type: 'content_block_start', index: ++this.#index, content_block });
  }

  #delta(delta: object): string {
    return typedFrame({ type: 'content_block_delta', index: this.#index, delta });
  }

  #close(): string {
    if (this.#open === undefined) return '';
    const signature = this.#open === 'thought' ? this.#delta({ type: 'signature_delta', signature: '' }) : '';
    this.#open = undefined;
    return signature + typedFrame({ type: 'content_block_stop', index: this.#index });
  }
}

/** A block while it is gathered. */
type Block =
  | { readonly type: 'text'; text: string }
  | { readonly type: 'thinking'; thinking: string; readonly signature: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; json: string };

export class MessagesBodyWriter implements ConversationBody {
  readonly #head: MessageHead;
  readonly #blocks: Block[] = [];
  #end: SequenceEnd | undefined;
  #usage: Usage | undefined;

  constructor(head: MessageHead) {
    this.#head = head;
  }

  push(event: ConversationEvent): void {
    if (event.type === 'finished') this.#usage = event.usage;
    else if (event.type === 'sequence') this.#end = event;
    else if (event.type === 'parts') for (const part of event.parts) this.#add(part);
  }

  body(): object {
    const content = this.#blocks.flatMap(blockOf);
    return {
      ...message(this.#head, content),
      ...stopOf(this.#end),
      usage: this.#usage && usageOf(this.#usage),
    };
  }

  #add(part: AnswerPart): void {
    const last = this.#blocks.at(-1);
    if (part.type === 'text') {
      if (last?.type === 'text') last.text += part.text;
      else this.#blocks.push({ type: 'text', text: part.text });
    } else if (part.type === 'thought') {
      if (last?.type === 'thinking') last.thinking += part.text;
      else this.#blocks.push({ type: 'thinking', thinking: part.text, signature: '' });
    } else if (part.type === 'call')
      this.#blocks.push({ type: 'tool_use', id: part.id, name: part.name, json: '' });
    else if (part.type === 'arguments' && last?.type === 'tool_use') last.json += part.text;
  }
}

/** A call that was cut has no input, so the answer is without it: `stop_reason` says that it was cut. */
function blockOf(block: Block): object[] {
  if (block.type !== 'tool_use') return [block];
  const { json, ...call } = block;
  try {
    return [{ ...call, input: JSON.parse(json) as unknown }];
  } catch {
    return [];
  }
}
