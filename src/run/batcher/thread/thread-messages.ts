/** Messages between the main thread and the engine thread. */
import type { StepStats } from '../../../core/batcher-stats.js';
import type { ErrorReport } from '../../../core/errors.js';
import type { RequestId } from '../../../core/ids.js';
import type { BatcherEvent, TokenRequest } from '../../../core/request.js';
import type { TokenLimits } from '../../../core/token-batcher.js';
import type { ExecutorLimits, MemoryBudget } from '../../executor/executor.js';
import type { BatcherOptions } from '../batcher-options.js';

/** Data from which an engine thread makes its executor and its batcher. */
export interface EngineThreadOptions {
  /** Compiled module that exports `openExecutor` (see ExecutorModule). */
  readonly executorUrl: string;
  readonly executorOptions: unknown;
  readonly batcher: BatcherOptions;
}

export interface EngineThreadData extends EngineThreadOptions {
  /** `performance.timeOrigin` of the main thread, so that times of both threads compare. */
  readonly timeOriginMs: number;
}

/** A number per request, shorter than its id. */
export type RequestHandle = number;

export type EngineCommand =
  | { readonly type: 'submit'; readonly handle: RequestHandle; readonly request: TokenRequest }
  | { readonly type: 'cancel'; readonly id: RequestId }
  | { readonly type: 'endSequence'; readonly id: RequestId; readonly sequence: number }
  | { readonly type: 'close' };

/** Commands of one turn of the main thread. */
export type ToEngine = readonly EngineCommand[];

export interface EngineFacts {
  readonly limits: TokenLimits;
  readonly executorLimits: ExecutorLimits;
  readonly memory: MemoryBudget;
  /** Memory of every rank, in order. */
  readonly rankMemory: readonly MemoryBudget[];
  /** Threads that compute on this machine's processors during a step. */
  readonly computeThreadCount: number;
  /** Full name of a device that is not the CPU. */
  readonly deviceName: string | undefined;
}

export type FromEngine =
  /** Bytes of weights that are in their place so far. */
  | { readonly type: 'loading'; readonly weightBytes: number }
  | { readonly type: 'opened'; readonly facts: EngineFacts }
  | { readonly type: 'openFailed'; readonly error: ErrorReport }
  | StepMessage;

/** Everything that one turn of the engine reports. */
export interface StepMessage {
  readonly type: 'step';
  readonly timeMs: number;
  /** [tokens, 3] handle, sequence, token id: token events with nothing else. They come before `events`. */
  readonly tokens: Int32Array;
  readonly events: readonly HandledEvent[];
  readonly stats: readonly StepStats[];
  /** Why the engine has stopped for good. */
  readonly failure: ErrorReport | undefined;
}

export interface HandledEvent {
  readonly handle: RequestHandle;
  readonly event: BatcherEvent;
}
