import { AloftError, type ErrorCode, type ErrorReport, reportError } from '../../core/errors.js';
import type { SlotState, StepInput, StepOutput } from '../../core/step.js';
import { RankError, type RankGroup } from '../../device/cpu/rank-group.js';
import type { Executor, ExecutorLimits, MemoryBudget } from '../executor/executor.js';
import type { RankPeer } from './rank-peer.js';
import type { RankMemory } from './rank-memory.js';
import type { StepBroadcast } from './step-broadcast.js';

/** Time for the other ranks to end by themselves when the group closes, ms. */
const CLOSE_GRACE_MS = 2000;

/** Failures of a step after which no other can run. */
const BREAKING: ReadonlySet<ErrorCode> = new Set([
  'DEVICE_FAILED',
  'RANK_DIED',
  'RANK_LATE',
  'RANK_DIVERGED',
]);

/** Parts of a group that has opened. */
export interface OpenRanks {
  /** Executor of rank 0, on this thread. */
  readonly leader: Executor;
  /** Memory of every rank, in order. */
  readonly rankMemory: readonly MemoryBudget[];
  /** Other ranks. */
  readonly processes: readonly RankPeer[];
  readonly broadcast: StepBroadcast;
  readonly group: RankGroup;
  readonly memory: RankMemory;
  readonly isProfiled: boolean;
}

/**
 * An engine on several ranks. Rank 0 runs on this thread, checks and samples; the others run the same steps. When one of
 * them ends or answers no more, all are ended, and every call from then on fails with the one error that says why.
 */
export class RankExecutor implements Executor {
  readonly limits: ExecutorLimits;
  /** Memory of rank 0. */
  readonly memory: MemoryBudget;
  readonly rankMemory: readonly MemoryBudget[];
  readonly computeThreadCount?: number;
  readonly deviceName?: string;
  readonly prepareSteps?: () => void;
  readonly takeRankTimes?: (opCount: number) => readonly Float32Array[];
  readonly #ranks: OpenRanks;
  readonly #failureListeners: ((failure: ErrorReport) => void)[] = [];
  /** The last step, if its masks have not come. */
  #waiting: StepInput | undefined;
  #failure: AloftError | undefined;
  #isClosing = false;

  constructor(ranks: OpenRanks) {
    const { leader, processes } = ranks;
    this.#ranks = ranks;
    this.limits = leader.limits;
    this.memory = leader.memory;
    this.rankMemory = ranks.rankMemory;
    const { computeThreadCount, deviceName } = leader;
    if (computeThreadCount !== undefined)
      this.computeThreadCount = computeThreadCount * (processes.length + 1);
    if (deviceName !== undefined) this.deviceName = deviceName;
    if (ranks.isProfiled) this.takeRankTimes = (opCount) => this.#takeRankTimes(opCount);
    if (leader.prepareSteps !== undefined) this.prepareSteps = () => this.#prepareSteps();
    for (const process of processes) {
      process.keepAlive(false);
      void process.ended.then((how) => this.#noticeEnd(process, how));
    }
  }

  /** Processes of ranks 1 and up. */
  get pids(): readonly number[] {
    return this.#ranks.processes.map(({ pid }) => pid);
  }

  attachSlot(state: SlotState): void {
    this.#requireRunning();
    this.#ranks.leader.attachSlot(state);
    this.#ranks.broadcast.attach(state);
  }

  detachSlot(slot: number): void {
    this.#ranks.leader.detachSlot(slot);
    this.#ranks.broadcast.detach(slot);
  }

  /** @throws {AloftError} RANK_DIED, RANK_LATE, RANK_DIVERGED, or what ended a rank; INTERNAL as every executor */
  submit(step: StepInput): void {
    this.#requireRunning();
    const { leader, broadcast } = this.#ranks;
    try {
      leader.submit(step);
      broadcast.finish(step, leader.launch);
    } catch (thrown) {
      // A step that was refused before it was sent harms nobody.
      throw broadcast.isInStep ? this.#end(thrown) : thrown;
    }
    if (step.masksFollow) this.#waiting = step;
  }

  /** Only rank 0 samples, so the others run their step without masks. @throws {AloftError} as {@link collect}; INTERNAL as every executor */
  supplyMasks(stepId: number, masks: Int32Array): void {
    this.#requireRunning();
    try {
      this.#ranks.leader.supplyMasks(stepId, masks);
      this.#waiting = undefined;
    } catch (thrown) {
      throw this.#endIfBroken(thrown);
    }
  }

  async collect(): Promise<StepOutput> {
    this.#requireRunning();
    let output: StepOutput;
    try {
      output = await this.#ranks.leader.collect();
    } catch (thrown) {
      throw this.#endIfBroken(thrown);
    }
    this.#requireRunning(); // what was computed while a rank ended is worth nothing
    return output;
  }

  onFailure(listener: (failure: ErrorReport) => void): void {
    this.#failureListeners.push(listener);
  }

  async dispose(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const { leader, processes, broadcast, group, memory } = this.#ranks;
    for (const process of processes) process.keepAlive(true);
    const lastResort = setTimeout(() => processes.forEach((process) => process.kill()), CLOSE_GRACE_MS);
    if (this.#failure === undefined)
      try {
        this.#releaseOthers();
        broadcast.close();
      } catch (thrown) {
        this.#end(thrown);
      }
    await Promise.all(processes.map(({ ended }) => ended));
    clearTimeout(lastResort);
    await leader.dispose();
    group.dispose();
    memory.dispose();
  }

  /** @throws {AloftError} as {@link submit} */
  #takeRankTimes(opCount: number): readonly Float32Array[] {
    this.#requireRunning();
    const { broadcast, group } = this.#ranks;
    try {
      broadcast.askTimes(opCount);
      const [, ...others] = group.exchange(new Uint8Array(4 * opCount));
      return others.map((bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, opCount));
    } catch (thrown) {
      throw this.#end(thrown);
    }
  }

  /** @throws {AloftError} as {@link submit} */
  #prepareSteps(): void {
    const { leader, broadcast } = this.#ranks;
    this.#requireRunning();
    try {
      broadcast.prepare();
      leader.prepareSteps?.();
    } catch (thrown) {
      throw this.#end(thrown);
    }
  }

  /** Samples the step that waits for masks, without any: on GPUs the other ranks wait for its tokens before they can end. */
  #releaseOthers(): void {
    if (this.#waiting === undefined) return;
    const { stepId, maskCount } = this.#waiting;
    const words = maskCount * Math.ceil(this.limits.vocabulary / 32);
    this.supplyMasks(stepId, new Int32Array(words).fill(-1));
  }

  #requireRunning(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** A rank ended while nobody waited for it. */
  #noticeEnd(process: RankPeer, how: string): void {
    if (this.#isClosing || this.#failure !== undefined) return;
    const { rank, name } = process;
    const first = this.#ranks.group.fail('RANK_DIED', rank);
    const isThis = first.rank === rank && first.code === 'RANK_DIED';
    const error = new AloftError(
      'RANK_DIED',
      `Rank ${rank} of ${this.#ranks.group.rankCount} (${name}) ${how}, and the other ranks with it; load the engine again.`,
    );
    const failure = reportError(this.#end(isThis && this.#lastWords(first) === first ? error : first));
    for (const listener of this.#failureListeners) listener(failure);
  }

  /** @returns the error that callers get */
  #endIfBroken(thrown: unknown): unknown {
    return BREAKING.has(reportError(thrown).code) ? this.#end(thrown) : thrown;
  }

  /** Ends all ranks. @returns the error that says why, from then on the only one */
  #end(thrown: unknown): AloftError {
    if (this.#failure === undefined) {
      const { code, message } = reportError(thrown);
      const error = thrown instanceof AloftError ? thrown : new AloftError(code, message);
      this.#failure = error instanceof RankError ? this.#lastWords(error) : error;
      this.#ranks.leader.stopWaiting?.();
      for (const process of this.#ranks.processes) process.kill();
    }
    return this.#failure;
  }

  /** The error that a rank stored before it ended, if it could; otherwise what the others saw of it. */
  #lastWords(error: RankError): AloftError {
    const report = this.#ranks.memory.readReport(error.rank);
    if (report === undefined) return error;
    return new AloftError(report.code, `Rank ${error.rank}: ${report.message}`, { cause: error });
  }
}
