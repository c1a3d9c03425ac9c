import type { StepStats } from '../../../core/batcher-stats.js';
import type { ErrorReport } from '../../../core/errors.js';
import type { BatcherEvent } from '../../../core/request.js';
import { Int32List } from '../../kv/int32-list.js';
import type { RequestSink } from '../request/request-sink.js';
import type { HandledEvent, RequestHandle, StepMessage } from './thread-messages.js';

/** Posts a message and hands the listed memory over with it. */
export type PostStep = (message: StepMessage, transfer: ArrayBuffer[]) => void;

/** Gathers the events and statistics of the engine thread and posts them once per turn, when the work at hand is done. */
export class ThreadOutbox {
  readonly #post: PostStep;
  readonly #tokens = new Int32List(1024);
  #events: HandledEvent[] = [];
  #stats: StepStats[] = [];
  #failure: ErrorReport | undefined;
  #timeMs = 0;
  #isScheduled = false;

  constructor(post: PostStep) {
    this.#post = post;
  }

  addToken(handle: RequestHandle, sequence: number, tokenId: number, timeMs: number): void {
    this.#tokens.pushPair(handle, sequence);
    this.#tokens.push(tokenId);
    this.#timeMs = timeMs;
    this.#schedule();
  }

  addEvent(handle: RequestHandle, event: BatcherEvent): void {
    this.#events.push({ handle, event });
    this.#schedule();
  }

  addStats(stats: StepStats): void {
    this.#stats.push(stats);
    this.#schedule();
  }

  addFailure(failure: ErrorReport): void {
    this.#failure = failure;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const message = {
      timeMs: this.#timeMs,
      events: this.#events,
      stats: this.#stats,
      failure: this.#failure,
    };
    const tokens = this.#tokens.take();
    this.#isScheduled = false;
    this.#events = [];
    this.#stats = [];
    const transfer = tokens.length > 0 ? [tokens.buffer as ArrayBuffer] : [];
    this.#post({ type: 'step', ...message, tokens }, transfer);
  }
}

/** The events of one request on their way to the main thread. */
export class OutboxSink implements RequestSink {
  readonly #outbox: ThreadOutbox;
  readonly #handle: RequestHandle;

  constructor(outbox: ThreadOutbox, handle: RequestHandle) {
    this.#outbox = outbox;
    this.#handle = handle;
  }

  token(sequence: number, tokenId: number, timeMs: number): void {
    this.#outbox.addToken(this.#handle, sequence, tokenId, timeMs);
  }

  event(event: BatcherEvent): void {
    this.#outbox.addEvent(this.#handle, event);
  }
}
