/** Memory of answers that are gathered until they are whole: log probabilities and logits, of all requests together. */
import type { GenerateEvent } from '../../core/generate.js';
import { requireWithin } from '../../core/request-limits.js';
import { ByteBudget } from '../context/byte-budget.js';

/** About what a log probability takes with its text and bytes. */
const LOGPROB_BYTES = 256;

export class HeldAnswers {
  readonly #budget: ByteBudget;

  constructor(maxBytes: number) {
    this.#budget = new ByteBudget(
      maxBytes,
      () =>
        'Answers that are gathered hold as much as the server may hold; retry later, or stream the answer.',
    );
  }

  get bytes(): number {
    return this.#budget.bytes;
  }

  /** An answer that holds nothing yet. Release it when it is over. */
  open(): HeldAnswer {
    return new HeldAnswer(this.#budget);
  }
}

export class HeldAnswer {
  readonly #budget: ByteBudget;
  #bytes = 0;
  #logprobCount = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
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
    this.#budget.hold(bytes);
    this.#bytes += bytes;
  }

  release(): void {
    this.#budget.release(this.#bytes);
    this.#bytes = 0;
  }
}
