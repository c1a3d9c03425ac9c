/** A loaded engine with its requests and its limit. */
import { AloftError, type ErrorReport } from '../../core/errors.js';
import { withLimit } from '../../core/time-limit.js';
import type { ServableEngine } from '../engine/engine-loader.js';
import { ActiveRequests, type QueuePlace } from './active-requests.js';
import { FinishGaps } from './finish-gaps.js';
import { Flusher } from './flusher.js';

/** QUEUE_FULL with the time after which a retry is worth it. */
export class QueueFullError extends AloftError {
  readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds: number) {
    super('QUEUE_FULL', message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export class RunningEngine {
  readonly name: string;
  readonly version: string;
  readonly loaded: ServableEngine;
  readonly active = new ActiveRequests();
  readonly flusher: Flusher;
  /** Why the engine has stopped for good. */
  failure: ErrorReport | undefined;
  /** Whether any request was answered to its end. */
  hasAnswered = false;
  /** Running and waiting requests together. */
  readonly maxRequestCount: number;
  #isClosing = false;
  #freed: Promise<boolean> | undefined;
  readonly #finishGaps = new FinishGaps();

  constructor(name: string, version: string, loaded: ServableEngine, maxQueuedRequests: number) {
    this.name = name;
    this.version = version;
    this.loaded = loaded;
    this.flusher = new Flusher({ isSparing: loaded.takesAllProcessors });
    loaded.onFailure((failure) => (this.failure = failure));
    this.maxRequestCount = loaded.maxSequenceCount + maxQueuedRequests;
  }

  /**
   * Refuses a request that should not even be queued.
   * @throws {AloftError} QUEUE_FULL or MODEL_UNAVAILABLE
   */
  admit({ level, maxWaitingCount }: QueuePlace): void {
    if (this.#isClosing) throw new AloftError('MODEL_UNAVAILABLE', `Model '${this.name}' is being unloaded.`);
    if (this.active.count >= this.maxRequestCount) {
      const message = `Exceeds maximum queue size: model '${this.name}' has ${this.active.count} requests running or waiting; retry later.`;
      throw new QueueFullError(message, this.#retryAfterSeconds());
    }
    // While a slot is free nobody waits.
    if (maxWaitingCount === undefined || this.active.count < this.loaded.maxSequenceCount) return;
    const waitingCount = this.active.waitingCount(level);
    if (waitingCount < maxWaitingCount) return;
    const message = `Exceeds maximum queue size of priority ${level}: ${waitingCount} requests of model '${this.name}' wait there; retry later.`;
    throw new QueueFullError(message, this.#retryAfterSeconds());
  }

  /** True once it takes no more requests. An engine that another replaces takes them until all models have the new one. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** A request has left {@link active}. */
  noteFinished(nowMs: number, event: 'finished' | 'failed'): void {
    if (event === 'finished') this.hasAnswered = true;
    this.#finishGaps.add(nowMs, this.active.count > 0);
  }

  /** Seconds after which a place in the queue is likely to be free: the time the requests beyond the running ones need. */
  #retryAfterSeconds(): number {
    const waiting = Math.max(1, this.active.count - this.loaded.maxSequenceCount);
    return Math.min(60, Math.max(1, Math.ceil((waiting * this.#finishGaps.meanMs) / 1000)));
  }

  /**
   * Lets requests finish, for at most `drainMs`, ends the others with `cut`, and frees the engine.
   * @returns false when the engine hangs in a native call: it is not freed, and a process with it only ends by SIGKILL.
   */
  async close(drainMs: number, cut: AloftError): Promise<boolean> {
    this.#isClosing = true;
    await withLimit(this.active.whenIdle(), drainMs);
    for (const request of [...this.active.values()]) request.fail(cut);
    await withLimit(this.active.whenIdle(), STOP_MS);
    return await this.#free();
  }

  /** Lets requests finish, however long they wait and run, and frees the engine. `close` may end it sooner. @returns as `close` */
  async retire(): Promise<boolean> {
    this.#isClosing = true;
    await this.active.whenIdle();
    return await this.#free();
  }

  #free(): Promise<boolean> {
    this.#freed ??= withLimit(this.loaded.dispose(), DISPOSE_MS);
    return this.#freed;
  }
}

const STOP_MS = 2000;
/** More than a thread is given before it is ended by force. */
const DISPOSE_MS = 8000;
