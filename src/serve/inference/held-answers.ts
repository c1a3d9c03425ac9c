/** Memory of answers that are gathered until they are whole: log probabilities and logits, of all requests together. */
import { AloftError } from '../../core/errors.js';
import type { GenerateEvent } from '../../core/generate.js';
import { requireWithin } from '../../core/request-limits.js';

/** About what a log probability takes with its text and bytes. */
const LOGPROB_BYTES = 256;

export class HeldAnswers {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** An answer that holds nothing yet. Release it when it is over. */
  open(): HeldAnswer {
    return new HeldAnswer((bytes) => this.#add(bytes));
  }

  #add(bytes: number): void {
    if (bytes > 0 && this.#bytes + bytes > this.#maxBytes)
      throw new AloftError(
        'SERVER_BUSY',
        'Answers that are gathered hold as much as the server may hold; retry later, or stream the answer.',
      );
    this.#bytes += bytes;
  }
}

export class HeldAnswer {
  readonly #addBytes: (bytes: number) => void;
  #bytes = 0;
  #logprobCount = 0;

  constructor(addBytes: (bytes: number) => void) {
    this.#addBytes = addBytes;
  }

  /** @throws {AloftError} REQUEST_INVALID beyond the limit of one answer, SERVER_BUSY beyond that of all */
  add(events: readonly GenerateEvent[]): void {
    let bytes = 0;
    for (const event of events) {
      if (event.type !== 'text' && event.type !== 'prompt') continue;
      bytes += event.logits?.byteLength ?? 0;
      for (const { top } of event.logprobs ?? []) {
        this.#logprobCount += 1 + top.length;
        bytes += (1 + top.length) * LOGPROB_BYTES;
      }
    }
    if (bytes === 0) return;
    requireWithin('answerLogprobs', this.#logprobCount, 'The answer');
    this.#addBytes(bytes);
    this.#bytes += bytes;
  }

  release(): void {
    this.#addBytes(-this.#bytes);
    this.#bytes = 0;
  }
}
