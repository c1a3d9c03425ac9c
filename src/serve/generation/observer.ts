/** Observers of requests: statistics, metrics and traces. */
import type { GenerateEvent } from '../../core/generate.js';
import type { AloftError } from '../../core/errors.js';

/** One request from its arrival to its end. All times are `performance.now()` of the server. */
export interface RequestObserver {
  /** Called with every batch before it goes to the client. */
  onEvents(events: readonly GenerateEvent[], nowMs: number): void;
  /** Called once. `undefined`: the answer is complete. */
  onEnd(error: AloftError | undefined, nowMs: number): void;
}

export interface RequestInfo {
  /** The model the client asked for, not the engine behind it. */
  readonly modelName: string;
  readonly modelVersion: string;
  readonly engineName: string;
  readonly engineVersion: string;
  /** The models of an ensemble before and after the engine, which count the request, too. */
  readonly stages: { readonly before: string | undefined; readonly after: string | undefined };
  readonly protocol: 'http' | 'grpc' | 'openai';
  readonly arrivedMs: number;
  /** W3C trace context of the caller. */
  readonly traceparent: string | undefined;
}

export type ObserverFactory = (info: RequestInfo) => RequestObserver;
