import { Worker } from 'node:worker_threads';
import type { StepStats } from '../../../core/batcher-stats.js';
import { AloftError, type ErrorReport } from '../../../core/errors.js';
import type { RequestId } from '../../../core/ids.js';
import type { BatcherEvent, TokenRequest } from '../../../core/request.js';
import type { BatcherHealth, TokenBatcher, TokenLimits } from '../../../core/token-batcher.js';
import { duplicateReport, refusedEvent, stoppedReport } from '../request/refusal.js';
import type {
  EngineCommand,
  EngineFacts,
  EngineThreadData,
  EngineThreadOptions,
  FromEngine,
  RequestHandle,
  StepMessage,
} from './thread-messages.js';

/** Time that the main thread waits for a sign of life beyond the engine's own watchdog, ms. */
const WATCHDOG_PATIENCE = 1.5;

/** Time for a failed engine to give back its device before its thread is ended, ms. */
const FAILED_GRACE_MS = 1000;

interface OpenRequest {
  readonly request: TokenRequest;
  readonly submittedMs: number;
  readonly onEvent: (event: BatcherEvent) => void;
}

/**
 * Starts an engine thread.
 * @param onWeightBytes receives the bytes of weights that are in their place so far
 * @throws {AloftError} whatever opening the executor throws there
 */
export async function openThreadedBatcher(
  options: EngineThreadOptions,
  onWeightBytes: (bytes: number) => void = () => {},
): Promise<ThreadedBatcher> {
  const workerData: EngineThreadData = { ...options, timeOriginMs: performance.timeOrigin };
  const worker = new Worker(new URL('./engine-thread.js', import.meta.url), { workerData });
  const facts = await new Promise<EngineFacts>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', (message: FromEngine) => {
      if (message.type === 'loading') onWeightBytes(message.weightBytes);
      else if (message.type === 'opened') resolve(message.facts);
      else if (message.type === 'openFailed')
        reject(new AloftError(message.error.code, message.error.message));
    });
  });
  worker.removeAllListeners('error');
  worker.removeAllListeners('message');
  return new ThreadedBatcher(worker, facts, options.batcher.stepTimeoutMs);
}

/**
 * A batcher whose loop runs on a thread of its own, so that neither stalls the other. One message per turn goes each
 * way. It keeps the process alive only while requests are open.
 */
export class ThreadedBatcher implements TokenBatcher {
  readonly facts: EngineFacts;
  readonly #worker: Worker;
  readonly #stepTimeoutMs: number;
  readonly #open = new Map<RequestHandle, OpenRequest>();
  readonly #handles = new Map<RequestId, RequestHandle>();
  readonly #stepListeners = new Set<(stats: StepStats) => void>();
  readonly #failureListeners: ((failure: ErrorReport) => void)[] = [];
  readonly #watchdog: NodeJS.Timeout;
  readonly #exited: Promise<void>;
  #outgoing: EngineCommand[] = [];
  #lastHandle = 0;
  #isClosing = false;
  #heartbeatMs = performance.now();
  #state: BatcherHealth['state'] = 'running';
  #failure: ErrorReport | undefined;

  /** Use {@link openThreadedBatcher}. @param worker an engine thread that has said that it is open */
  constructor(worker: Worker, facts: EngineFacts, stepTimeoutMs: number) {
    this.#worker = worker;
    this.facts = facts;
    this.#stepTimeoutMs = stepTimeoutMs;
    worker.on('message', (message: FromEngine) => {
      if (message.type === 'step') this.#take(message);
    });
    worker.on('error', (error) => this.#fail({ code: 'INTERNAL', message: error.stack ?? error.message }));
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (status) => {
        this.#fail({ code: 'INTERNAL', message: `The engine thread ended with status ${status}.` });
        resolve();
      });
    });
    worker.unref();
    this.#watchdog = setInterval(() => this.#checkWatchdog(), stepTimeoutMs / 4).unref();
  }

  get limits(): TokenLimits {
    return this.facts.limits;
  }

  get health(): BatcherHealth {
    const isIdle = this.#state === 'running' && this.#open.size === 0;
    const heartbeatMs = isIdle ? performance.now() : this.#heartbeatMs;
    return { state: this.#state, failure: this.#failure, heartbeatMs };
  }

  /** Statistics of every step, as they arrive. @returns a function that ends the subscription */
  onStep(listener: (stats: StepStats) => void): () => void {
    this.#stepListeners.add(listener);
    return () => void this.#stepListeners.delete(listener);
  }

  /** Called once if the engine or its thread breaks; nothing is served after that. */
  onFailure(listener: (failure: ErrorReport) => void): void {
    this.#failureListeners.push(listener);
  }

  submit(request: TokenRequest, onEvent: (event: BatcherEvent) => void): void {
    const isInProgress = this.#handles.has(request.id);
    const refusal = stoppedReport(this.health) ?? (isInProgress ? duplicateReport(request) : undefined);
    if (refusal !== undefined) {
      onEvent(refusedEvent(request, refusal, performance.now()));
      return;
    }
    if (this.#open.size === 0) {
      this.#heartbeatMs = performance.now();
      this.#worker.ref();
    }
    const handle = this.#nextHandle();
    this.#open.set(handle, { request, onEvent, submittedMs: performance.now() });
    this.#handles.set(request.id, handle);
    this.#send({ type: 'submit', handle, request });
  }

  cancel(id: RequestId): void {
    if (this.#handles.has(id)) this.#send({ type: 'cancel', id });
  }

  endSequence(id: RequestId, sequence: number): void {
    if (this.#handles.has(id)) this.#send({ type: 'endSequence', id, sequence });
  }

  /**
   * Open requests fail with SHUTTING_DOWN; the executor is disposed and the thread ends. A thread that hangs in a native
   * call cannot be ended, and this does not resolve then.
   * @param patienceMs time for the step at hand; default: as long as a step may take
   */
  async close(patienceMs = this.#stepTimeoutMs): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      // A thread that works may end its step; one that failed may hang in a call and gets little time.
      const graceMs = this.#state === 'running' ? patienceMs : FAILED_GRACE_MS;
      if (this.#state === 'running') this.#state = 'closed';
      clearInterval(this.#watchdog);
      this.#worker.ref();
      this.#send({ type: 'close' });
      const lastResort = setTimeout(() => void this.#worker.terminate(), graceMs);
      void this.#exited.then(() => clearTimeout(lastResort));
    }
    await this.#exited;
  }

  /** Handles stay small integers: they travel in 32 bits. */
  #nextHandle(): RequestHandle {
    do this.#lastHandle = (this.#lastHandle + 1) % 2 ** 31;
    while (this.#open.has(this.#lastHandle));
    return this.#lastHandle;
  }

  #send(command: EngineCommand): void {
    if (this.#outgoing.push(command) === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const commands = this.#outgoing;
    this.#outgoing = [];
    this.#worker.postMessage(commands, []);
  }

  #take(message: StepMessage): void {
    this.#heartbeatMs = performance.now();
    const { tokens, timeMs } = message;
    for (let i = 0; i < tokens.length; i += 3)
      this.#notify(tokens[i]!, tokenEvent(tokens, i, timeMs, this.#open));
    for (const { handle, event } of message.events) this.#notify(handle, event);
    for (const stats of message.stats) for (const listener of this.#stepListeners) listener(stats);
    if (message.failure !== undefined) this.#fail(message.failure);
  }

  #notify(handle: RequestHandle, event: BatcherEvent | undefined): void {
    const request = this.#open.get(handle);
    if (request === undefined || event === undefined) return;
    if (event.type === 'finished' || event.type === 'failed') this.#forget(handle, request);
    request.onEvent(event);
  }

  #forget(handle: RequestHandle, { request }: OpenRequest): void {
    this.#open.delete(handle);
    this.#handles.delete(request.id);
    if (this.#open.size === 0 && this.#state === 'running') this.#worker.unref();
  }

  #checkWatchdog(): void {
    const silentMs = performance.now() - this.#heartbeatMs;
    if (this.#open.size === 0 || silentMs <= this.#stepTimeoutMs * WATCHDOG_PATIENCE) return;
    const message = `The engine thread has not answered for ${Math.round(silentMs)} ms; it was ended.`;
    this.#fail({ code: 'DEVICE_FAILED', message });
    void this.#worker.terminate();
  }

  /** The engine is gone: what is open ends here. */
  #fail(error: ErrorReport): void {
    clearInterval(this.#watchdog);
    const isNew = this.#state === 'running';
    if (isNew) {
      this.#state = 'failed';
      this.#failure = error;
    }
    for (const [handle, open] of this.#open) {
      this.#forget(handle, open);
      open.onEvent(refusedEvent(open.request, error, performance.now(), open.submittedMs));
    }
    if (isNew) for (const listener of this.#failureListeners) listener(error);
  }
}

function tokenEvent(
  tokens: Int32Array,
  start: number,
  timeMs: number,
  open: ReadonlyMap<RequestHandle, OpenRequest>,
): BatcherEvent | undefined {
  const request = open.get(tokens[start]!)?.request;
  if (request === undefined) return undefined;
  return {
    type: 'token',
    id: request.id,
    sequence: tokens[start + 1]!,
    tokenIds: [tokens[start + 2]!],
    logprobs: undefined,
    logits: undefined,
    timeMs,
  };
}
