import type { RequestId } from '../../../core/ids.js';
import type { BatcherEvent } from '../../../core/request.js';

/** Receiver of the events of one request. */
export interface RequestSink {
  /** A token event with nothing but the token: the common case, for which no object need be made. */
  token(sequence: number, tokenId: number, timeMs: number): void;
  event(event: BatcherEvent): void;
}

/** Calls the submitter on the same thread. */
export class CallbackSink implements RequestSink {
  readonly #id: RequestId;
  readonly #onEvent: (event: BatcherEvent) => void;

  constructor(id: RequestId, onEvent: (event: BatcherEvent) => void) {
    this.#id = id;
    this.#onEvent = onEvent;
  }

  token(sequence: number, tokenId: number, timeMs: number): void {
    this.#onEvent({
      type: 'token',
      id: this.#id,
      sequence,
      tokenIds: [tokenId],
      logprobs: undefined,
      logits: undefined,
      timeMs,
    });
  }

  event(event: BatcherEvent): void {
    this.#onEvent(event);
  }
}
