import type { StepStats, WaitReason } from '../../core/batcher-stats.js';
import type { Clock } from '../../core/clock.js';
import { type ErrorReport, invariant, reportError } from '../../core/errors.js';
import type { RequestId } from '../../core/ids.js';
import type { BatcherEvent, FinishReason, TokenRequest } from '../../core/request.js';
import type { StepOutput } from '../../core/step.js';
import type { TokenBatcher, TokenLimits } from '../../core/token-batcher.js';
import type { Executor } from '../executor/executor.js';
import { KvCache } from '../kv/kv-cache.js';
import { Scheduler } from '../scheduler/scheduler.js';
import type { BatcherHealth } from './batcher-health.js';
import { type BatcherOptions, schedulerLimits, tokenLimits } from './batcher-options.js';
import { prefixSalt } from './prefix-salt.js';
import { type Intake, SHUTTING_DOWN, expiryReport, refusalOf, refusedEvent } from './refusal.js';
import { CallbackSink, type RequestSink } from './request-sink.js';
import { RequestRun } from './request-run.js';
import type { SequenceRun } from './sequence-run.js';
import type { Sequence } from '../scheduler/sequence.js';
import { SlotTable } from './slot-table.js';
import { StepBuffers } from './step-buffers.js';

/**
 * In-flight batching over one executor: the imperative loop around the pure scheduler. Every turn it plans a step, submits
 * it, and reads the results of the step before (overlapped form) or of the same step (plain form).
 */
export class Batcher implements TokenBatcher {
  readonly limits: TokenLimits;
  /** For tests and integrity checks. */
  readonly kv: KvCache;
  readonly scheduler: Scheduler;
  private readonly executor: Executor;
  private readonly options: BatcherOptions;
  private readonly clock: Clock;
  private readonly requests = new Map<RequestId, RequestRun>();
  private readonly slots: SlotTable;
  private readonly freeBuffers: StepBuffers[];
  private readonly inFlight: StepBuffers[] = [];
  private readonly stepListeners = new Set<(stats: StepStats) => void>();
  private readonly failureListeners: ((failure: ErrorReport) => void)[] = [];
  private state: BatcherHealth['state'] = 'running';
  private failure: ErrorReport | undefined;
  private heartbeatMs: number;
  private stepCount = 0;
  private hostMs = 0;
  private waitReason: WaitReason | undefined;
  private wake: (() => void) | undefined;
  private loop: Promise<void> | undefined;

  constructor(executor: Executor, options: BatcherOptions, clock: Clock) {
    this.executor = executor;
    this.options = options;
    this.clock = clock;
    this.heartbeatMs = clock.nowMs();
    this.slots = new SlotTable(executor);
    this.limits = tokenLimits(options, executor.limits);
    const limits = schedulerLimits(options, executor.limits);
    this.kv = new KvCache({
      blockTokens: executor.limits.blockTokens,
      blockCount: executor.limits.blockCount,
      hostBlockCount: executor.limits.hostBlockCount,
      slotCount: limits.maxSequenceCount,
      maxSequenceTokens: this.limits.maxSequenceTokens,
      prefixReuse: options.prefixReuse,
    });
    this.scheduler = new Scheduler(limits, this.kv);
    const shape = {
      maxStepTokens: limits.maxStepTokens,
      maxRows: limits.maxSequenceCount,
      maxLogits: limits.maxStepLogits,
    };
    const { maxBlocksPerSequence } = this.kv.tables;
    this.freeBuffers = [0, 1].map(() => new StepBuffers(shape, maxBlocksPerSequence));
  }

  get health(): BatcherHealth {
    const { state, failure } = this;
    return { state, failure, heartbeatMs: this.isIdle ? this.clock.nowMs() : this.heartbeatMs };
  }

  /** Statistics of every step, as it is collected. @returns a function that ends the subscription */
  onStep(listener: (stats: StepStats) => void): () => void {
    this.stepListeners.add(listener);
    return () => void this.stepListeners.delete(listener);
  }

  /** Called once if the executor or an invariant breaks; nothing is served after that. */
  onFailure(listener: (failure: ErrorReport) => void): void {
    this.failureListeners.push(listener);
  }

  /** Runs the loop and its watchdog until {@link close}. */
  start(): void {
    if (this.loop !== undefined) return;
    const watchdog = setInterval(() => this.checkWatchdog(), this.options.stepTimeoutMs / 4).unref();
    this.loop = this.runLoop().finally(() => clearInterval(watchdog));
  }

  submit(request: TokenRequest, onEvent: (event: BatcherEvent) => void): void {
    this.submitTo(request, new CallbackSink(request.id, onEvent));
  }

  submitTo(request: TokenRequest, sink: RequestSink): void {
    const refusal = refusalOf(request, this.intakeOf(request.id));
    if (refusal !== undefined) {
      sink.event(refusedEvent(request, refusal, this.clock.nowMs()));
      return;
    }
    const cacheSalt = prefixSalt(request, this.executor.limits.uniformPromptTokens);
    const run = new RequestRun({ ...request, cacheSalt }, sink, this.clock.nowMs());
    this.requests.set(request.id, run);
    this.scheduler.add(run.group);
    this.wakeUp();
  }

  cancel(id: RequestId): void {
    const run = this.requests.get(id);
    if (run !== undefined) this.end(run, { code: 'CANCELLED', message: `Request ${id} was cancelled.` });
    this.wakeUp();
  }

  /** Ends the loop after the step in flight; open requests fail with SHUTTING_DOWN. The executor stays open. */
  async close(): Promise<void> {
    if (this.state === 'running') this.state = 'closed';
    for (const request of this.requests.values()) this.end(request, SHUTTING_DOWN);
    this.wakeUp();
    if (this.state === 'closed') await this.loop;
  }

  /** One turn of the loop, for callers that drive it themselves. @returns false when there was nothing to do */
  async turn(): Promise<boolean> {
    if (this.isIdle) return false;
    this.endExpired();
    const isLaunched = this.launch();
    const depth = isLaunched && this.options.overlap ? 1 : 0;
    while (this.inFlight.length > depth) await this.settle();
    return true;
  }

  /** Fails everything when the step in flight takes too long. */
  checkWatchdog(): void {
    const silentMs = this.clock.nowMs() - this.heartbeatMs;
    if (this.inFlight.length === 0 || silentMs <= this.options.stepTimeoutMs) return;
    const message =
      `Step ${this.inFlight[0]!.stepId} has not ended after ${Math.round(silentMs)} ms, the limit is ` +
      `${this.options.stepTimeoutMs} ms; the device hangs or the limit is too low.`;
    this.failWith({ code: 'DEVICE_FAILED', message });
  }

  private get isIdle(): boolean {
    return this.scheduler.waitingCount + this.scheduler.runningCount + this.inFlight.length === 0;
  }

  private async runLoop(): Promise<void> {
    try {
      while (this.state === 'running') {
        if (!(await this.turn())) await this.nextSubmission();
        // Messages and timers get their chance after every step, also when the executor answers at once.
        else await new Promise((resolve) => setImmediate(resolve));
      }
      while (this.inFlight.length > 0) await this.settle();
    } catch (thrown) {
      this.failWith(reportError(thrown));
    }
  }

  private async nextSubmission(): Promise<void> {
    // Looked at again, because a request may have come while the last turn was awaited.
    if (this.state !== 'running' || !this.isIdle) return;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
  }

  private wakeUp(): void {
    this.wake?.();
    this.wake = undefined;
  }

  /** Plans and submits a step. @returns false when nothing can run now */
  private launch(): boolean {
    const startMs = this.clock.nowMs();
    const plan = this.scheduler.plan();
    this.waitReason = plan.waitReason;
    if (plan.rowCount > 0) {
      this.slots.apply(plan, (sequence) => this.scheduled(sequence, startMs));
      const buffers = this.freeBuffers.pop()!;
      buffers.fill(this.stepCount++, plan, this.kv, this.slots);
      this.executor.submit(buffers);
      if (this.inFlight.length === 0) this.heartbeatMs = startMs;
      this.inFlight.push(buffers);
    }
    invariant(
      this.inFlight.length > 0 || this.isIdle,
      () => `requests wait for ${plan.waitReason} although nothing runs`,
    );
    this.hostMs += this.clock.nowMs() - startMs;
    return plan.rowCount > 0;
  }

  /** The run of a sequence that is given a slot at `nowMs`. */
  private scheduled({ group, index }: Sequence, nowMs: number): SequenceRun {
    const request = this.requests.get(group.spec.id)!;
    request.scheduledMs ??= nowMs;
    return request.sequences[index]!;
  }

  /** Waits for the oldest step in flight and hands out its results. */
  private async settle(): Promise<void> {
    const output = await this.executor.collect();
    if (this.state === 'failed') return;
    const startMs = this.clock.nowMs();
    const step = this.inFlight.shift()!;
    this.heartbeatMs = startMs;
    invariant(output.stepId === step.stepId, () => `step ${output.stepId} came back for ${step.stepId}`);
    for (let logit = 0; logit < output.logitCount; logit++) this.acceptLogit(step, output, logit, startMs);
    step.release();
    this.freeBuffers.push(step);
    this.hostMs += this.clock.nowMs() - startMs;
    this.reportStep(step, output, startMs);
  }

  private acceptLogit(step: StepBuffers, output: StepOutput, logit: number, timeMs: number): void {
    const run = step.runOfLogit(logit);
    const isSample = step.logitTargets[logit]! < 0;
    if (isSample) run.sequence.inFlightCount--;
    // Cancelled in between, or the row that the overlapped form ran before it knew of the end.
    if (run.request.isOver || run.sequence.isFinished) return;
    if (!isSample) run.request.promptScores!.add(output, logit);
    else this.acceptSample(run, step.epochOfLogit(logit), output, logit, timeMs);
  }

  private acceptSample(
    run: SequenceRun,
    epoch: number,
    output: StepOutput,
    logit: number,
    timeMs: number,
  ): void {
    const { request } = run;
    request.firstTokenMs ??= timeMs;
    if (request.promptScores !== undefined && !request.promptScores.isTold)
      request.sink.event(request.promptScores.finish(output, logit));
    if (request.beamRun !== undefined) {
      if (!request.beamRun.accept(run.sequence, epoch, output, logit)) this.finish(request, timeMs);
      return;
    }
    const reason = run.accept(output, logit);
    if (reason === undefined) run.emitCertain(timeMs);
    else this.finishSequence(run, reason, timeMs);
  }

  private finishSequence(run: SequenceRun, reason: FinishReason, timeMs: number): void {
    this.scheduler.finish(run.sequence);
    if (run.request.endSequence(run, reason, timeMs)) this.finish(run.request, timeMs);
  }

  private finish(request: RequestRun, timeMs: number): void {
    if (request.isOver) return;
    this.scheduler.remove(request.group);
    this.requests.delete(request.tokens.id);
    request.finish(timeMs);
  }

  private end(request: RequestRun, error: ErrorReport): void {
    if (request.isOver) return;
    this.scheduler.remove(request.group);
    this.requests.delete(request.tokens.id);
    request.fail(error, this.clock.nowMs());
  }

  private endExpired(): void {
    const nowMs = this.clock.nowMs();
    for (const group of this.scheduler.expired(nowMs)) {
      const request = this.requests.get(group.spec.id);
      if (request?.group === group) this.end(request, expiryReport(request, nowMs));
    }
  }

  private intakeOf(id: RequestId): Intake {
    const { blockTokens, blockCount } = this.kv;
    return {
      health: this.health,
      capacity: { limits: this.limits, blockTokens, blockCount },
      waitingCount: this.scheduler.waitingCount,
      maxQueuedRequests: this.options.maxQueuedRequests,
      isInProgress: this.requests.has(id),
    };
  }

  /** The executor or an invariant is broken: nothing can go on. The scheduler's state is not touched any more. */
  private failWith(error: ErrorReport): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
    this.failure = error;
    const requests = [...this.requests.values()];
    this.requests.clear();
    for (const request of requests) request.fail(error, this.clock.nowMs());
    for (const listener of this.failureListeners) listener(error);
    this.wakeUp();
  }

  private reportStep(step: StepBuffers, output: StepOutput, timeMs: number): void {
    const { hostMs, waitReason, kv, scheduler } = this;
    this.hostMs = 0;
    if (this.stepListeners.size === 0) return;
    const stats: StepStats = {
      type: 'step',
      stepId: step.stepId,
      timeMs,
      ...step.rowStats(),
      waitingCount: scheduler.waitingCount,
      runningCount: scheduler.runningCount,
      freeBlockCount: kv.freeCount,
      cachedBlockCount: kv.cachedCount,
      totalBlockCount: kv.blockCount,
      hostMs,
      deviceMs: output.deviceMs,
      waitReason,
    };
    for (const listener of this.stepListeners) listener(stats);
  }
}
