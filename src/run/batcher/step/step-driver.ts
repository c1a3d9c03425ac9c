import type { StepStats, WaitReason } from '../../../core/batcher-stats.js';
import type { Clock } from '../../../core/clock.js';
import { invariant } from '../../../core/errors.js';
import type { StepOutput } from '../../../core/step.js';
import type { Executor } from '../../executor/executor.js';
import { KvCache } from '../../kv/kv-cache.js';
import { Scheduler } from '../../scheduler/scheduler.js';
import type { Sequence } from '../../scheduler/sequence.js';
import { type BatcherOptions, schedulerLimits, tokenLimits } from '../batcher-options.js';
import type { RequestSequence } from '../request/request-run.js';
import { SlotTable } from './slot-table.js';
import { StepBuffers } from './step-buffers.js';

/** Takes the results of a step while they are valid. @returns how many tokens sequences took */
export type ReadStep = (step: StepBuffers, output: StepOutput, timeMs: number) => number;

const NO_ROWS = {
  tokenCount: 0,
  decodeRowCount: 0,
  prefillRowCount: 0,
  outputTokenCount: 0,
  prefixHitTokens: 0,
  preemptionCount: 0,
  deviceMs: 0,
  idleMs: 0,
} as const;

/** Moves steps from the scheduler to the executor and back. The batcher interprets the results. */
export class StepDriver {
  readonly kv: KvCache;
  readonly scheduler: Scheduler;
  /** When a step last went out or came back, while one is in flight. */
  heartbeatMs: number;
  readonly #executor: Executor;
  readonly #clock: Clock;
  readonly #slots: SlotTable;
  /** One more than there are steps in flight while the next one is planned. */
  readonly #freeBuffers: StepBuffers[];
  readonly #inFlight: StepBuffers[] = [];
  readonly #listeners = new Set<(stats: StepStats) => void>();
  #stepCount = 0;
  #hostMs = 0;
  #waitReason: WaitReason | undefined;
  #isAbandoned = false;

  constructor(executor: Executor, options: BatcherOptions, clock: Clock) {
    const limits = schedulerLimits(options, executor.limits);
    const { blockTokens, blockCount, hostBlockCount } = executor.limits;
    this.#executor = executor;
    this.#clock = clock;
    this.heartbeatMs = clock.nowMs();
    this.kv = new KvCache({
      blockTokens,
      blockCount,
      hostBlockCount,
      slotCount: limits.maxSequenceCount,
      maxSequenceTokens: tokenLimits(options, executor.limits).maxSequenceTokens,
      prefixReuse: options.prefixReuse,
    });
    this.scheduler = new Scheduler(limits, this.kv);
    this.#slots = new SlotTable(executor);
    const { maxBlocksPerSequence } = this.kv.tables;
    this.#freeBuffers = [0, 1].map(() => new StepBuffers(limits, maxBlocksPerSequence));
  }

  get inFlightCount(): number {
    return this.#inFlight.length;
  }

  get oldestStepId(): number | undefined {
    return this.#inFlight[0]?.stepId;
  }

  get isIdle(): boolean {
    return this.scheduler.waitingCount + this.scheduler.runningCount + this.#inFlight.length === 0;
  }

  /** Statistics of every step, right after its results. @returns a function that ends the subscription */
  onStep(listener: (stats: StepStats) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Plans a step and submits it.
   * @param runOf the run of a sequence that is given a slot
   * @returns false when nothing can run now
   */
  launch(runOf: (sequence: Sequence, nowMs: number) => RequestSequence): boolean {
    const startMs = this.#clock.nowMs();
    const plan = this.scheduler.plan();
    this.#waitReason = plan.waitReason;
    if (plan.rowCount > 0) {
      this.#slots.apply(plan, (sequence) => runOf(sequence, startMs));
      const buffers = this.#freeBuffers.pop()!;
      buffers.fill(this.#stepCount++, plan, this.kv, this.#slots);
      this.#executor.submit(buffers);
      if (this.#inFlight.length === 0) this.heartbeatMs = startMs;
      this.#inFlight.push(buffers);
    }
    invariant(
      this.#inFlight.length > 0 || this.isIdle,
      () => `requests wait for ${plan.waitReason} although nothing runs`,
    );
    this.#hostMs += this.#clock.nowMs() - startMs;
    return plan.rowCount > 0;
  }

  /** Waits for the oldest steps until `leftCount` are in flight, and has their results read. */
  async settle(leftCount: number, read: ReadStep): Promise<void> {
    while (this.#inFlight.length > leftCount) {
      const output = await this.#executor.collect();
      if (this.#isAbandoned) return;
      this.#take(output, read);
    }
    this.#supplyMasks();
  }

  #take(output: StepOutput, read: ReadStep): void {
    const startMs = this.#clock.nowMs();
    const step = this.#inFlight.shift()!;
    this.heartbeatMs = startMs;
    invariant(output.stepId === step.stepId, () => `step ${output.stepId} came back for ${step.stepId}`);
    const outputTokenCount = read(step, output, startMs);
    step.release();
    this.#freeBuffers.push(step);
    this.#hostMs += this.#clock.nowMs() - startMs;
    const { deviceMs, idleMs } = output;
    const rows = { ...step.rowStats(), outputTokenCount, deviceMs, idleMs };
    this.#notify({ stepId: step.stepId, ...rows, ...this.#state(startMs) });
  }

  /** Hands over the masks of the step in flight, if they waited for the tokens of the steps before, which are read now. */
  #supplyMasks(): void {
    const [step] = this.#inFlight;
    if (step?.masksFollow !== true) return;
    const startMs = this.#clock.nowMs();
    step.writeMasks();
    this.#executor.supplyMasks(step.stepId, step.masks);
    this.#hostMs += this.#clock.nowMs() - startMs;
  }

  /** Reports the state without a step: requests that end between steps free their blocks there. */
  notifyIdle(): void {
    const stepId = Math.max(0, this.#stepCount - 1);
    this.#waitReason = undefined;
    this.#notify({ stepId, ...NO_ROWS, ...this.#state(this.#clock.nowMs()) });
  }

  /** Gives the device the histories of sequences that the host has changed; before the next step is launched. */
  renewSlots(runs: readonly RequestSequence[]): void {
    for (const run of runs) this.#slots.renew(run);
  }

  /** Results that are still to come are not read any more. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  #notify(stats: Omit<StepStats, 'type'>): void {
    for (const listener of this.#listeners) listener({ type: 'step', ...stats });
  }

  #state(timeMs: number) {
    const { kv, scheduler } = this;
    const hostMs = this.#hostMs;
    this.#hostMs = 0;
    return {
      timeMs,
      waitingCount: scheduler.waitingCount,
      runningCount: scheduler.runningCount,
      freeBlockCount: kv.freeCount,
      cachedBlockCount: kv.cachedCount,
      totalBlockCount: kv.blockCount,
      hostMs,
      waitReason: this.#waitReason,
    };
  }
}
