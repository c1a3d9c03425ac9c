/** Events -> answer of /v1/responses. */
import type { ConversationBody, ConversationEvent, ConversationWriter } from '../../../core/conversation.js';
import type { ErrorReport } from '../../../core/errors.js';
import type { Usage } from '../../../core/request.js';
import type { JsonObject } from '../../json.js';
import { typedFrame } from '../../sse.js';
import { openAiError } from '../error.js';
import { type OutputEvent, ResponseOutput } from './output.js';

export interface ResponseHead {
  readonly id: string;
  /** Unix time in seconds. */
  readonly createdAt: number;
  readonly model: string;
  /** Members of the request that the answer repeats. */
  readonly echoed: JsonObject;
}

/** The response object while it is made. */
class ResponseState {
  readonly output = new ResponseOutput();
  readonly #head: ResponseHead;
  #isCut = false;
  #end: Extract<ConversationEvent, { type: 'finished' }> | undefined;

  constructor(head: ResponseHead) {
    this.#head = head;
  }

  push(event: ConversationEvent): OutputEvent[] {
    if (event.type === 'parts') return event.parts.flatMap((part) => this.output.add(part));
    if (event.type === 'finished') this.#end = event;
    if (event.type !== 'sequence') return [];
    this.#isCut = event.finishReason === 'length';
    return this.output.close(this.#isCut ? 'incomplete' : 'completed');
  }

  get endStatus(): 'completed' | 'incomplete' {
    return this.#isCut ? 'incomplete' : 'completed';
  }

  body(status: 'in_progress' | 'completed' | 'incomplete' | 'failed', error?: ErrorReport): object {
    const { id, createdAt, model, echoed } = this.#head;
    const details = status === 'incomplete' ? { reason: 'max_output_tokens' } : null;
    return {
      id,
      object: 'response',
      created_at: createdAt,
      status,
      error: error === undefined ? null : { code: 'server_error', message: error.message },
      incomplete_details: details,
      model,
      output: status === 'in_progress' ? [] : this.output.items,
      ...echoed,
      usage: this.#end === undefined ? null : usageOf(this.#end.usage, this.#end.thoughtTokens ?? 0),
    };
  }
}

function usageOf({ promptTokens, cachedPromptTokens, outputTokens }: Usage, thoughtTokens: number): object {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedPromptTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: thoughtTokens },
    total_tokens: promptTokens + outputTokens,
  };
}

/** Called with the whole response when it is complete. */
type OnEnd = (body: object) => void;

export class ResponseStreamWriter implements ConversationWriter {
  readonly #state: ResponseState;
  readonly #onEnd: OnEnd;
  #number = 0;

  constructor(head: ResponseHead, onEnd: OnEnd) {
    this.#state = new ResponseState(head);
    this.#onEnd = onEnd;
  }

  push(event: ConversationEvent): string {
    if (event.type !== 'started') return this.#frames(this.#state.push(event));
    const response = this.#state.body('in_progress');
    return this.#frames([
      { type: 'response.created', response },
      { type: 'response.in_progress', response },
    ]);
  }

  end(): string {
    const status = this.#state.endStatus;
    const response = this.#state.body(status);
    this.#onEnd(response);
    return this.#frames([{ type: `response.${status}`, response }]);
  }

  fail(report: ErrorReport, param: string | null): string {
    const { code, message } = openAiError(report, param).error;
    return this.#frames([
      { type: 'error', code, message, param },
      { type: 'response.failed', response: this.#state.body('failed', report) },
    ]);
  }

  #frames(events: readonly OutputEvent[]): string {
    return events.map((event) => typedFrame({ ...event, sequence_number: this.#number++ })).join('');
  }
}

export class ResponseBodyWriter implements ConversationBody {
  readonly #state: ResponseState;
  readonly #onEnd: OnEnd;

  constructor(head: ResponseHead, onEnd: OnEnd) {
    this.#state = new ResponseState(head);
    this.#onEnd = onEnd;
  }

  push(event: ConversationEvent): void {
    this.#state.push(event);
  }

  body(): object {
    const body = this.#state.body(this.#state.endStatus);
    this.#onEnd(body);
    return body;
  }
}
