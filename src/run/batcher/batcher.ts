import type { StepStats } from '../../core/batcher-stats.js';
import type { Clock } from '../../core/clock.js';
import { type ErrorReport, reportError } from '../../core/errors.js';
import type { RequestId } from '../../core/ids.js';
import type { BatcherEvent, FinishReason, TokenRequest } from '../../core/request.js';
import type { StepOutput } from '../../core/step.js';
import type { BatcherHealth, TokenBatcher, TokenLimits } from '../../core/token-batcher.js';
import type { Executor } from '../executor/executor.js';
import type { KvCache } from '../kv/kv-cache.js';
import type { Sequence } from '../scheduler/sequence.js';
import type { BeamProgress } from './request/beam-run.js';
import { type BatcherOptions, tokenLimits } from './batcher-options.js';
import { Arrivals } from './request/arrivals.js';
import { prefixSalt } from './request/prefix-salt.js';
import {
  type Intake,
  SHUTTING_DOWN,
  expiryReport,
  hangReport,
  noFiniteLogitReport,
  refusalOf,
  refusedEvent,
  shortSearchReport,
} from './request/refusal.js';
import { RequestRun, type RequestSequence } from './request/request-run.js';
import { CallbackSink, type RequestSink } from './request/request-sink.js';
import type { StepBuffers } from './step/step-buffers.js';
import { StepDriver } from './step/step-driver.js';

/**
 * In-flight batching over one executor: the imperative loop around the pure scheduler. Every turn it plans a step, submits
 * it, and reads the results of the step before (overlapped form) or of the same step (plain form).
 */
export class Batcher implements TokenBatcher {
  readonly limits: TokenLimits;
  readonly #options: BatcherOptions;
  readonly #clock: Clock;
  readonly #steps: StepDriver;
  readonly #uniformPromptTokens: number | undefined;
  readonly #requests = new Map<RequestId, RequestRun>();
  readonly #arrivals: Arrivals;
  readonly #failureListeners: ((failure: ErrorReport) => void)[] = [];
  #state: BatcherHealth['state'] = 'running';
  #failure: ErrorReport | undefined;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;

  constructor(executor: Executor, options: BatcherOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.limits = tokenLimits(options, executor.limits);
    this.#uniformPromptTokens = executor.limits.uniformPromptTokens;
    this.#steps = new StepDriver(executor, options, clock);
    this.#arrivals = new Arrivals(clock, (run) => {
      this.#requests.set(run.tokens.id, run);
      this.#steps.scheduler.add(run.group);
    });
  }

  /** For inspection. */
  get kv(): KvCache {
    return this.#steps.kv;
  }

  get health(): BatcherHealth {
    const heartbeatMs = this.#isIdle ? this.#clock.nowMs() : this.#steps.heartbeatMs;
    return { state: this.#state, failure: this.#failure, heartbeatMs };
  }

  /** Statistics of every step, as it is collected. @returns a function that ends the subscription */
  onStep(listener: (stats: StepStats) => void): () => void {
    return this.#steps.onStep(listener);
  }

  /** Called once if the executor or an invariant breaks; nothing is served after that. */
  onFailure(listener: (failure: ErrorReport) => void): void {
    this.#failureListeners.push(listener);
  }

  /** Runs the loop and its watchdog until {@link close}. */
  start(): void {
    if (this.#loop !== undefined) return;
    const watchdog = setInterval(() => this.checkWatchdog(), this.#options.stepTimeoutMs / 4).unref();
    this.#loop = this.#runLoop().finally(() => clearInterval(watchdog));
  }

  submit(request: TokenRequest, onEvent: (event: BatcherEvent) => void): void {
    this.submitTo(request, new CallbackSink(request.id, onEvent));
  }

  submitTo(request: TokenRequest, sink: RequestSink): void {
    const refusal = refusalOf(request, this.#intakeOf(request.id));
    if (refusal !== undefined) {
      sink.event(refusedEvent(request, refusal, this.#clock.nowMs()));
      return;
    }
    this.#arrivals.add({ ...request, cacheSalt: prefixSalt(request, this.#uniformPromptTokens) }, sink);
    this.#wakeUp();
  }

  cancel(id: RequestId): void {
    const run = this.#requests.get(id);
    const error = { code: 'CANCELLED', message: `Request ${id} was cancelled.` } as const;
    if (run === undefined) this.#arrivals.end(id, error);
    else this.#end(run, error);
    this.#wakeUp();
  }

  endSequence(id: RequestId, sequence: number): void {
    const request = this.#requests.get(id);
    const run = request?.streams ? request.sequences[sequence] : undefined;
    if (run !== undefined && !run.sequence.isFinished)
      this.#finishSequence(run, 'stop_word', this.#clock.nowMs());
    this.#wakeUp();
  }

  /** Ends the loop after the step in flight; open requests fail with SHUTTING_DOWN. The executor stays open. */
  async close(): Promise<void> {
    if (this.#state === 'running') this.#state = 'closed';
    this.#arrivals.endAll(SHUTTING_DOWN);
    for (const request of this.#requests.values()) this.#end(request, SHUTTING_DOWN);
    this.#wakeUp();
    if (this.#state === 'closed') await this.#loop;
  }

  /** One turn of the loop, for callers that drive it themselves. @returns false when there was nothing to do */
  async turn(): Promise<boolean> {
    if (this.#isIdle) return false;
    this.#arrivals.turn();
    this.#endExpired();
    const depth = this.#steps.launch(this.#scheduled) && this.#options.overlap ? 1 : 0;
    await this.#steps.settle(depth, this.#acceptStep);
    return true;
  }

  /** The executor or an invariant is broken: nothing can go on. The scheduler's state is not touched any more. */
  fail(error: ErrorReport): void {
    if (this.#state === 'failed') return;
    this.#state = 'failed';
    this.#failure = error;
    this.#steps.abandon();
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    this.#arrivals.endAll(error);
    for (const request of requests) request.fail(error, this.#clock.nowMs());
    for (const listener of this.#failureListeners) listener(error);
    this.#wakeUp();
  }

  /** Fails everything when the step in flight takes too long. */
  checkWatchdog(): void {
    const { inFlightCount, oldestStepId, heartbeatMs } = this.#steps;
    const silentMs = this.#clock.nowMs() - heartbeatMs;
    if (inFlightCount === 0 || silentMs <= this.#options.stepTimeoutMs) return;
    this.fail(hangReport(oldestStepId, silentMs, this.#options.stepTimeoutMs));
  }

  async #runLoop(): Promise<void> {
    try {
      while (this.#state === 'running') {
        if (!(await this.turn())) await this.#idle();
        // Messages and timers get their chance after every step, also when the executor answers at once.
        else await new Promise((resolve) => setImmediate(resolve));
      }
      await this.#steps.settle(0, this.#acceptStep);
    } catch (thrown) {
      this.fail(reportError(thrown));
    }
  }

  /** Waits for the next submission. */
  async #idle(): Promise<void> {
    // Looked at again, because a request may have come while the last turn was awaited.
    if (this.#state !== 'running' || !this.#isIdle) return;
    this.#steps.notifyIdle();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  get #isIdle(): boolean {
    return this.#steps.isIdle && this.#arrivals.count === 0;
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** The run of a sequence that is given a slot. */
  readonly #scheduled = ({ group, index }: Sequence, nowMs: number): RequestSequence => {
    const request = this.#requests.get(group.spec.id)!;
    request.scheduledMs ??= nowMs;
    return request.sequences[index]!;
  };

  readonly #acceptStep = (step: StepBuffers, output: StepOutput, timeMs: number): number => {
    let tokenCount = 0;
    for (let logit = 0; logit < output.logitCount; logit++)
      if (this.#acceptLogit(step, output, logit, timeMs)) tokenCount++;
    return tokenCount;
  };

  /** @returns whether a sequence took the token that was sampled there */
  #acceptLogit(step: StepBuffers, output: StepOutput, logit: number, timeMs: number): boolean {
    const run = step.runOfLogit(logit);
    const isSample = step.logitTargets[logit]! < 0;
    if (isSample) run.sequence.inFlightCount--;
    // Cancelled in between, or the row that the overlapped form ran before it knew of the end.
    if (run.request.isOver || (isSample && run.sequence.isFinished)) return false;
    if (isSample && output.tokenIds[logit]! < 0) {
      this.#end(run.request, noFiniteLogitReport(run.request.tokens));
      return false;
    }
    if (!isSample) run.request.promptScores!.add(output, logit);
    else if (run.constraint === undefined)
      this.#acceptSample(run, step.epochOfLogit(logit), output, logit, timeMs);
    else
      this.#followConstraint(run, () =>
        this.#acceptSample(run, step.epochOfLogit(logit), output, logit, timeMs),
      );
    return isSample;
  }

  /** A constraint that cannot be followed further ends its own request alone. */
  #followConstraint(run: RequestSequence, accept: () => void): void {
    try {
      accept();
    } catch (thrown) {
      const error = reportError(thrown);
      if (error.code !== 'REQUEST_INVALID') throw thrown;
      this.#end(run.request, error);
    }
  }

  #acceptSample(
    run: RequestSequence,
    epoch: number,
    output: StepOutput,
    logit: number,
    timeMs: number,
  ): void {
    const { request } = run;
    request.firstTokenMs ??= timeMs;
    if (request.promptScores !== undefined && !request.promptScores.isEmitted)
      request.sink.event(request.promptScores.finish(output, logit));
    if (request.beamRun !== undefined) {
      this.#settleBeams(request, request.beamRun.accept(run.sequence, epoch, output, logit), timeMs);
      return;
    }
    const reason = run.accept(output, logit);
    if (reason === undefined) run.emitCertain(timeMs);
    else this.#finishSequence(run, reason, timeMs);
  }

  #settleBeams(request: RequestRun, progress: BeamProgress, timeMs: number): void {
    if (progress === 'movedOn' && request.beamsNeedHistory) this.#steps.renewSlots(request.sequences);
    if (progress !== 'isOver') return;
    if (request.beams!.isShort) this.#end(request, shortSearchReport(request.tokens));
    else this.#finish(request, timeMs);
  }

  #finishSequence(run: RequestSequence, reason: FinishReason, timeMs: number): void {
    this.#steps.scheduler.finish(run.sequence);
    if (run.request.endSequence(run, reason, timeMs)) this.#finish(run.request, timeMs);
  }

  #finish(request: RequestRun, timeMs: number): void {
    if (request.isOver) return;
    this.#steps.scheduler.remove(request.group);
    this.#requests.delete(request.tokens.id);
    request.finish(timeMs);
  }

  #end(request: RequestRun, error: ErrorReport): void {
    if (request.isOver) return;
    this.#steps.scheduler.remove(request.group);
    this.#requests.delete(request.tokens.id);
    request.fail(error, this.#clock.nowMs());
  }

  #endExpired(): void {
    const nowMs = this.#clock.nowMs();
    for (const group of this.#steps.scheduler.expired(nowMs)) {
      const request = this.#requests.get(group.spec.id);
      if (request?.group === group) this.#end(request, expiryReport(request, nowMs));
    }
  }

  #intakeOf(id: RequestId): Intake {
    const { blockTokens, blockCount } = this.kv;
    return {
      health: this.health,
      capacity: { limits: this.limits, blockTokens, blockCount },
      waitingCount: this.#steps.scheduler.waitingCount + this.#arrivals.count,
      maxQueuedRequests: this.#options.maxQueuedRequests,
      isInProgress: this.#requests.has(id) || this.#arrivals.has(id),
    };
  }
}
