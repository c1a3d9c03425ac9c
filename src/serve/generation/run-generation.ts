/** The one way of a text-level request through the server: admission, registration, batching of events, observation. */
import { randomUUID } from 'node:crypto';
import { AloftError } from '../../core/errors.js';
import type { GenerateEvent, GenerateRequest } from '../../core/generate.js';
import type { ActiveRequest, QueuePlace } from './active-requests.js';
import type { Flushable } from './flusher.js';
import { mergeTexts } from './merge-text.js';
import type { ObserverFactory, RequestInfo, RequestObserver } from './observer.js';
import type { Reader } from './reader.js';
import type { RunningEngine } from './running-engine.js';

export interface GenerationCall {
  readonly engine: RunningEngine;
  readonly request: GenerateRequest;
  readonly queue: QueuePlace;
  /** True for a row of a request that was admitted with its first row. */
  readonly isAdmitted?: boolean;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  readonly info: RequestInfo;
}

export interface GenerationLimits {
  /** Events that may wait for one slow client. */
  readonly maxBufferedEventCount: number;
}

/**
 * Runs a request. The reader takes everything that came since it last took something, with text joined.
 * It ends without a failure when a request was stopped by its id, else with what the engine reported, CANCELLED when the
 * signal aborted, SLOW_READER, QUEUE_FULL, or the reason for which the server ended it. It may end before this returns.
 */
export type RunGeneration = (call: GenerationCall, reader: Reader<readonly GenerateEvent[]>) => void;

export function generationRunner(limits: GenerationLimits, observe: ObserverFactory): RunGeneration {
  const { maxBufferedEventCount } = limits;
  return (call, reader) => {
    const observer = observe(call.info);
    new GenerationRun(call, { reader, observer, maxBufferedEventCount }).start();
  };
}

interface RunParts extends GenerationLimits {
  readonly reader: Reader<readonly GenerateEvent[]>;
  readonly observer: RequestObserver;
}

class GenerationRun implements Flushable {
  readonly #call: GenerationCall;
  readonly #parts: RunParts;
  readonly #active: ActiveRequest;
  #buffer: GenerateEvent[] = [];
  #cancelSource: (() => void) | undefined;
  #isFirst = true;
  #isReaderBusy = false;
  /** True once the reader knows that nothing more comes. */
  #hasEnded = false;
  #wasStopped = false;

  constructor(call: GenerationCall, parts: RunParts) {
    this.#call = call;
    this.#parts = parts;
    this.#active = {
      id: call.request.id ?? randomUUID(),
      level: call.queue.level,
      startedMs: call.info.arrivedMs,
      promptTokenCount: 0,
      outputTokenCount: 0,
      maxOutputTokenCount: call.request.maxOutputTokens,
      firstTokenMs: undefined,
      stop: () => {
        this.#wasStopped = true;
        this.#cancelSource?.();
      },
      fail: (error) => this.#end(error),
    };
  }

  start(): void {
    const { engine, request, queue, signal } = this.#call;
    try {
      if (signal.aborted) throw cancelled(this.#call);
      if (!this.#call.isAdmitted) engine.admit(queue);
      const remove = engine.active.add(this.#active, request.id !== undefined);
      const onAbort = () => this.#end(cancelled(this.#call));
      signal.addEventListener('abort', onAbort, { once: true });
      this.#cancelSource = engine.loaded.generator.start(request, (event) => {
        if (event.type === 'finished' || event.type === 'failed') {
          remove();
          signal.removeEventListener('abort', onAbort);
          engine.noteFinished(performance.now(), event.type);
        }
        this.#accept(event);
      });
    } catch (error) {
      this.#end(asAloftError(error));
    }
  }

  #accept(event: GenerateEvent): void {
    if (this.#hasEnded) return;
    const waitingCount = this.#buffer.push(event);
    const { maxBufferedEventCount } = this.#parts;
    if (waitingCount > maxBufferedEventCount) return this.#end(slowReader(maxBufferedEventCount));
    const { flusher } = this.#call.engine;
    if (this.#isUrgent(event)) flusher.flushNow(this);
    else if (waitingCount === 1) flusher.flushLater(this);
  }

  /** The start has nothing that a client waits for. */
  #isUrgent({ type }: GenerateEvent): boolean {
    return (this.#isFirst && type !== 'started') || type === 'finished' || type === 'failed';
  }

  flush(): void {
    const events = this.#buffer;
    if (this.#hasEnded || this.#isReaderBusy || events.length === 0) return;
    this.#buffer = [];
    try {
      this.#note(events);
      const busy = this.#parts.reader.take(mergeTexts(events));
      if (busy !== undefined) void this.#waitFor(busy);
    } catch (error) {
      this.#end(asAloftError(error));
    }
    const last = events.at(-1);
    if (last?.type === 'finished') this.#end(undefined);
    if (last?.type === 'failed')
      this.#end(this.#wasStopped ? undefined : new AloftError(last.error.code, last.error.message));
  }

  #note(events: readonly GenerateEvent[]): void {
    const nowMs = performance.now();
    for (const event of events) {
      if (event.type === 'started') this.#active.promptTokenCount = event.promptTokenIds.length;
      if (event.type !== 'text' || event.tokenIds.length === 0) continue;
      this.#active.outputTokenCount += event.tokenIds.length;
      this.#active.firstTokenMs ??= nowMs;
      this.#isFirst = false;
    }
    this.#parts.observer.onEvents(events, nowMs);
  }

  async #waitFor(busy: Promise<void>): Promise<void> {
    this.#isReaderBusy = true;
    try {
      await busy;
      this.#isReaderBusy = false;
      this.flush();
    } catch (error) {
      this.#end(asAloftError(error));
    }
  }

  /** The source is cancelled unless it is what has ended. */
  #end(failure: AloftError | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#buffer = [];
    if (failure !== undefined) this.#cancelSource?.();
    const { observer, reader } = this.#parts;
    observer.onEnd(failure, performance.now());
    reader.end(failure);
  }
}

function cancelled(call: GenerationCall): AloftError {
  const name = call.request.id === undefined ? '' : ` ${call.request.id}`;
  return new AloftError('CANCELLED', `Request${name} was cancelled by its client.`);
}

function slowReader(limit: number): AloftError {
  return new AloftError(
    'SLOW_READER',
    `The client has not read ${limit} events that wait for it, so the request was cancelled; read faster.`,
  );
}

export function asAloftError(error: unknown): AloftError {
  if (error instanceof AloftError) return error;
  return new AloftError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}
