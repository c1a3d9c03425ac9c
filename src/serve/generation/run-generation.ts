/** The one way of a text-level request through the server: admission, registration, batching of events, observation. */
import { randomUUID } from 'node:crypto';
import { AloftError } from '../../core/errors.js';
import type { GenerateEvent, GenerateRequest } from '../../core/generate.js';
import { coalesce } from './coalesce.js';
import type { ObserverFactory, RequestInfo } from './observer.js';
import type { ActiveRequest } from './active-requests.js';
import { mergeTexts } from './merge-text.js';
import { Pacer } from './pacer.js';
import type { RunningEngine } from './running-engine.js';

export interface GenerationCall {
  readonly engine: RunningEngine;
  readonly request: GenerateRequest;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  readonly info: RequestInfo;
}

export interface GenerationLimits {
  /** Events that may wait for one slow client. */
  readonly maxBufferedEventCount: number;
}

export type RunGeneration = (call: GenerationCall) => AsyncGenerator<GenerateEvent[], void, void>;

/**
 * @returns a function that runs requests. It yields batches of events; a request that was stopped by its id ends
 * without a terminal event. Leaving the iteration early cancels the request.
 * @throws {AloftError} what the engine reported, CANCELLED when the signal aborted, SLOW_READER, QUEUE_FULL.
 */
export function generationRunner(limits: GenerationLimits, observe: ObserverFactory): RunGeneration {
  const pacer = new Pacer();
  return async function* runGeneration(call) {
    const observer = observe(call.info);
    const run = new GenerationRun(call);
    let failure: AloftError | undefined = cancelled(call);
    try {
      for await (const events of run.start({ maxBufferedItems: limits.maxBufferedEventCount, pacer })) {
        run.note(events);
        observer.onEvents(events, performance.now());
        yield mergeTexts(events);
        run.throwIfFailed(events);
      }
      call.signal.throwIfAborted();
      failure = undefined;
    } catch (error) {
      failure = call.signal.aborted ? cancelled(call) : asAloftError(error);
      throw failure;
    } finally {
      // Without an assignment above the reader left early: cancelled.
      run.abort();
      observer.onEnd(failure && (run.sourceFailure ?? failure), performance.now());
    }
  };
}

class GenerationRun {
  private readonly call: GenerationCall;
  private readonly controller = new AbortController();
  private readonly active: ActiveRequest;
  /** What ended the source, even when its reader never came to see it. */
  sourceFailure: AloftError | undefined;
  private wasStopped = false;

  constructor(call: GenerationCall) {
    this.call = call;
    this.active = {
      id: call.request.id ?? randomUUID(),
      startedMs: call.info.arrivedMs,
      promptTokenCount: 0,
      outputTokenCount: 0,
      maxOutputTokenCount: call.request.maxOutputTokens,
      firstTokenMs: undefined,
      stop: () => this.stop(),
    };
  }

  async *start(pacing: Parameters<typeof coalesce>[1]): AsyncGenerator<GenerateEvent[], void, void> {
    const { engine, request, signal } = this.call;
    signal.throwIfAborted();
    engine.admit();
    const remove = engine.active.add(this.active, request.id !== undefined);
    const onAbort = () => this.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    const events = engine.loaded.generator.generate(request, this.controller.signal);
    const onEnd = (failure: unknown) => {
      this.sourceFailure = failure instanceof AloftError ? failure : undefined;
      remove();
      signal.removeEventListener('abort', onAbort);
      engine.noteFinished(performance.now());
    };
    yield* coalesce(events, pacing, onEnd);
  }

  note(events: readonly GenerateEvent[]): void {
    for (const event of events) {
      if (event.type === 'started') this.active.promptTokenCount = event.promptTokenIds.length;
      if (event.type !== 'text' || event.tokenIds.length === 0) continue;
      this.active.outputTokenCount += event.tokenIds.length;
      this.active.firstTokenMs ??= performance.now();
    }
  }

  throwIfFailed(events: readonly GenerateEvent[]): void {
    const last = events.at(-1);
    if (last?.type !== 'failed' || this.wasStopped) return;
    throw new AloftError(last.error.code, last.error.message);
  }

  private stop(): void {
    this.wasStopped = true;
    this.abort();
  }

  abort(): void {
    this.controller.abort();
  }
}

function cancelled(call: GenerationCall): AloftError {
  const name = call.request.id === undefined ? '' : ` ${call.request.id}`;
  return new AloftError('CANCELLED', `Request${name} was cancelled by its client.`);
}

function asAloftError(error: unknown): AloftError {
  if (error instanceof AloftError) return error;
  return new AloftError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}
