/** An engine that gives its memory back while nobody asks it anything, and is loaded again by the next request. */
import { SYSTEM_CLOCK } from '../../core/clock.js';
import type { StepStats } from '../../core/batcher-stats.js';
import { AloftError, type ErrorReport, reportError } from '../../core/errors.js';
import type { EventGenerator, GenerateEvent, GenerateRequest } from '../../core/generate.js';
import type { MemoryUse, ServableEngine, TokenCodec } from './engine-loader.js';

export interface IdleOptions {
  /** Time without a request after which the engine is unloaded. */
  readonly idleMs: number;
  /** Loads the engine again; called once at a time. */
  readonly reload: () => Promise<ServableEngine>;
  /** Called with a sentence for the log. */
  readonly onChange: (sentence: string) => void;
  readonly onDispose: () => void;
}

type OnEvent = (event: GenerateEvent) => void;

/** Numbers and the tokenizer of an engine stay known while it is unloaded. */
export class IdleEngine implements ServableEngine {
  readonly generator: EventGenerator;
  readonly #options: IdleOptions;
  readonly #listeners = new Map<(stats: StepStats) => void, () => void>();
  readonly #failureListeners: ((failure: ErrorReport) => void)[] = [];
  /** The engine, or the one that was unloaded last. */
  #last: ServableEngine;
  #isAwake = true;
  #waking: Promise<ServableEngine> | undefined;
  /** Ends when the memory of the engine that is being unloaded is free. */
  #freed: Promise<void> = Promise.resolve();
  #openCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastUsedMs = SYSTEM_CLOCK.nowMs();
  #isDisposed = false;

  constructor(loaded: ServableEngine, options: IdleOptions) {
    this.#last = loaded;
    this.#options = options;
    this.generator = {
      model: loaded.generator.model,
      start: (request, onEvent) => this.#start(request, onEvent),
      tokenize: (prompt) => this.#last.generator.tokenize(prompt),
    };
    this.#watch();
    this.#restartTimer();
  }

  get codec(): TokenCodec {
    return this.#last.codec;
  }

  get batchingType(): ServableEngine['batchingType'] {
    return this.#last.batchingType;
  }

  get maxSequenceCount(): number {
    return this.#last.maxSequenceCount;
  }

  get blockTokens(): number {
    return this.#last.blockTokens;
  }

  get kvBlockCount(): number {
    return this.#last.kvBlockCount;
  }

  get memory(): readonly MemoryUse[] {
    return this.#isAwake ? this.#last.memory : [];
  }

  get takesAllProcessors(): boolean {
    return this.#last.takesAllProcessors;
  }

  get remarks(): readonly string[] {
    return this.#last.remarks;
  }

  /** Time of the last request, on the system's clock; undefined while there are requests, and while it is unloaded. */
  get idleSinceMs(): number | undefined {
    return this.#isAwake && this.#openCount === 0 ? this.#lastUsedMs : undefined;
  }

  subscribe(listener: (stats: StepStats) => void): () => void {
    this.#listeners.set(listener, this.#isAwake ? this.#last.subscribe(listener) : () => {});
    return () => {
      this.#listeners.get(listener)?.();
      this.#listeners.delete(listener);
    };
  }

  heartbeatAgeMs(): number {
    return this.#isAwake ? this.#last.heartbeatAgeMs() : 0;
  }

  onFailure(listener: (failure: ErrorReport) => void): void {
    this.#failureListeners.push(listener);
  }

  /** Gives the memory back; resolves when it is free. Does nothing while there are requests. */
  async sleep(why: string): Promise<void> {
    if (this.idleSinceMs === undefined) return this.#freed;
    clearTimeout(this.#timer);
    this.#isAwake = false;
    for (const end of this.#listeners.values()) end();
    this.#options.onChange(`unloaded ${why}; the next request loads it again.`);
    this.#freed = this.#last.dispose();
    await this.#freed;
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    this.#options.onDispose();
    clearTimeout(this.#timer);
    await this.#waking?.catch(() => {});
    await (this.#isAwake ? this.#last.dispose() : this.#freed);
  }

  #start(request: GenerateRequest, onEvent: OnEvent): () => void {
    clearTimeout(this.#timer);
    this.#openCount++;
    const submittedMs = SYSTEM_CLOCK.nowMs();
    let cancel: (() => void) | undefined;
    let isCancelled = false;
    const take = (event: GenerateEvent): void => {
      if (event.type === 'finished' || event.type === 'failed') this.#release();
      onEvent(event);
    };
    const begin = (engine: ServableEngine): void => {
      if (isCancelled) throw new AloftError('CANCELLED', 'The request was cancelled before it started.');
      cancel = engine.generator.start(request, take);
    };
    if (this.#isAwake) begin(this.#last);
    else
      this.#wake()
        .then(begin)
        .catch((thrown: unknown) => take(refusal(thrown, submittedMs)));
    return () => {
      isCancelled = true;
      cancel?.();
    };
  }

  #release(): void {
    this.#openCount--;
    this.#lastUsedMs = SYSTEM_CLOCK.nowMs();
    if (this.#openCount === 0) this.#restartTimer();
  }

  #restartTimer(): void {
    clearTimeout(this.#timer);
    const { idleMs } = this.#options;
    const sleep = (): void => void this.sleep(`after ${idleMs / 1000} s without a request`).catch(() => {});
    if (this.#isAwake && !this.#isDisposed) this.#timer = setTimeout(sleep, idleMs).unref();
  }

  #wake(): Promise<ServableEngine> {
    this.#waking ??= this.#load().finally(() => (this.#waking = undefined));
    return this.#waking;
  }

  /** @throws {AloftError} what loading throws, SHUTTING_DOWN */
  async #load(): Promise<ServableEngine> {
    await this.#freed;
    if (this.#isDisposed)
      throw new AloftError('SHUTTING_DOWN', 'The model was unloaded; send the request again.');
    const startMs = SYSTEM_CLOCK.nowMs();
    this.#last = await this.#options.reload();
    this.#isAwake = true;
    this.#watch();
    this.#options.onChange(`loaded again in ${((SYSTEM_CLOCK.nowMs() - startMs) / 1000).toFixed(1)} s.`);
    return this.#last;
  }

  /** Connects the engine that was just loaded with those who listen. */
  #watch(): void {
    const engine = this.#last;
    for (const listener of this.#listeners.keys()) this.#listeners.set(listener, engine.subscribe(listener));
    engine.onFailure((failure) => {
      for (const listener of this.#failureListeners) listener(failure);
    });
  }
}

function refusal(thrown: unknown, submittedMs: number): GenerateEvent {
  const finishedMs = SYSTEM_CLOCK.nowMs();
  return {
    type: 'failed',
    error: reportError(thrown),
    usage: { promptTokens: 0, cachedPromptTokens: 0, outputTokens: 0 },
    timings: { submittedMs, scheduledMs: undefined, firstTokenMs: undefined, finishedMs },
  };
}
