import { invariant } from '../../core/errors.js';
import type { WaitReason } from '../../core/batcher-stats.js';
import type { KvCache, PrefixMatch } from '../kv/kv-cache.js';
import { blocksAhead, blocksToStart } from './block-demand.js';
import { type StepBudget, chunkLogits, chunkTokens } from './chunking.js';
import { RankQueue } from './rank-queue.js';
import { Residency } from './residency.js';
import type { SchedulerLimits } from './scheduler-limits.js';
import type { Sequence, SequenceGroup } from './sequence.js';
import { StepPlan } from './step-plan.js';

/**
 * Rows that a pass over the batch may make. In `start` a group makes its first ones, of which even a single token is charged to
 * the budget: `both` sets tokens aside for the rows of groups that run already.
 */
type Phase = 'decode' | 'prefill' | 'both' | 'start';

/**
 * Decides what the next step runs. No I/O, no clock, no promises: equal calls give equal plans.
 *
 * Running groups are visited in order of rank; each gets its decode rows and prompt chunks. Then waiting groups start,
 * in order of rank and without overtaking, while slots, tokens and blocks last. A group that finds no free block takes
 * those of the groups behind it (`max_utilization`); the first in rank therefore always goes on.
 */
export class Scheduler {
  readonly #limits: SchedulerLimits;
  readonly #kv: KvCache;
  readonly #waiting = new RankQueue();
  readonly #running = new RankQueue();
  readonly #stepPlan = new StepPlan();
  readonly #residency: Residency;
  readonly #budget: StepBudget = { tokens: 0, logits: 0 };
  #arrivalCount = 0;
  #nextExpiryMs = Infinity;
  /** `inflight_batching`: prompts had the last step, so single tokens have the next. */
  #decodeIsNext = false;

  constructor(limits: SchedulerLimits, kv: KvCache) {
    this.#limits = limits;
    this.#kv = kv;
    this.#residency = new Residency(kv, this.#stepPlan, limits.maxSequenceCount);
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  get runningCount(): number {
    return this.#running.length;
  }

  /** Last result of {@link plan}. */
  get currentPlan(): StepPlan {
    return this.#stepPlan;
  }

  add(group: SequenceGroup): void {
    group.arrival = this.#arrivalCount++;
    group.rankMs = group.spec.submittedMs - group.spec.priority * this.#limits.priorityHeadStartMs;
    this.#waiting.add(group);
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, expiryMs(group));
  }

  /** Ends one sequence; the group is over with its last. */
  finish(sequence: Sequence): void {
    const { group } = sequence;
    this.#residency.publish(group);
    this.#residency.leave(sequence);
    if (group.sequences.every((other) => other.isFinished)) this.remove(group);
  }

  /** Ends a group, wherever it is. */
  remove(group: SequenceGroup): void {
    if (group.state === 'over') return;
    (group.state === 'running' ? this.#running : this.#waiting).remove(group);
    group.state = 'over';
    this.#residency.publish(group);
    for (const sequence of group.sequences) if (!sequence.isFinished) this.#residency.leave(sequence);
    if (group.image !== undefined) this.#kv.discard(group.image);
    group.image = undefined;
  }

  /** Groups whose time to start or to end is over at `nowMs`. They stay until they are removed. */
  expired(nowMs: number): readonly SequenceGroup[] {
    if (nowMs < this.#nextExpiryMs) return [];
    const expired: SequenceGroup[] = [];
    this.#nextExpiryMs = Infinity;
    for (const queue of [this.#waiting, this.#running]) {
      for (const group of queue) {
        if (expiryMs(group) <= nowMs) expired.push(group);
        else this.#nextExpiryMs = Math.min(this.#nextExpiryMs, expiryMs(group));
      }
    }
    return expired;
  }

  /** The next step. Whoever calls submits it before anything else changes. */
  plan(): StepPlan {
    const plan = this.#stepPlan;
    plan.clear();
    const { batchingType } = this.#limits;
    if (batchingType === 'inflight_batching') {
      const phases: readonly Phase[] = this.#decodeIsNext ? ['decode', 'prefill'] : ['prefill', 'decode'];
      for (const phase of phases) if (plan.rowCount === 0) this.#runPhase(phase);
      this.#decodeIsNext = plan.prefillRows.length > 0;
    } else {
      this.#runPhase('both');
    }
    if (this.#waiting.length > 0) plan.waitReason ??= 'tokens';
    return plan;
  }

  #runPhase(phase: Phase): void {
    const isOpen = this.#limits.batchingType !== 'V1' || this.#running.length === 0;
    const reserved = phase === 'both' ? this.#decodeCount() : 0;
    this.#budget.tokens = this.#limits.maxStepTokens - reserved;
    this.#budget.logits = this.#limits.maxStepLogits - reserved;
    // A preemption only shortens the part of the batch that this loop has not reached.
    for (let i = 0; i < this.#running.length; i++) this.#runGroup(this.#running.at(i), phase);
    if (phase === 'decode') return;
    if (isOpen) this.#startWaiting();
    else this.#stepPlan.waitReason = 'slots';
  }

  /** Rows that only run their last token, for which tokens and logits are set aside. */
  #decodeCount(): number {
    let count = 0;
    for (const group of this.#running) {
      if (group.parents !== undefined) count += group.spec.width;
      else for (const sequence of group.sequences) if (sequence.isDecoding) count++;
    }
    return count;
  }

  #runGroup(group: SequenceGroup, phase: Phase): void {
    const { takenCount, evictedCount } = this.#kv;
    this.#runRows(group, phase);
    this.#charge(group, takenCount, evictedCount);
  }

  /** Counts the blocks that the group has taken since the cache's counts were these. */
  #charge(group: SequenceGroup, takenCount: number, evictedCount: number): void {
    group.blocks.taken += this.#kv.takenCount - takenCount;
    group.blocks.evicted += this.#kv.evictedCount - evictedCount;
  }

  #runRows(group: SequenceGroup, phase: Phase): void {
    if (!this.#settleBeams(group, phase)) return;
    this.#residency.publish(group);
    if (group.needsFork && group.leader.computedCount === group.commonCount && !this.#fork(group, phase))
      return;
    if (group.needsFork) this.#runPrompt(group.leader, group.commonCount, phase);
    else for (const sequence of group.sequences) this.#runSequence(sequence, phase);
  }

  #runSequence(sequence: Sequence, phase: Phase): void {
    if (sequence.pendingCount === 0) return;
    if (!sequence.isDecoding || phase === 'start') this.#runPrompt(sequence, sequence.targetCount, phase);
    else if (phase !== 'prefill') this.#runLastToken(sequence, phase);
  }

  #runLastToken(sequence: Sequence, phase: Phase): void {
    const missing = this.#kv.blocksMissing(sequence.slot, sequence.targetCount);
    if (!this.#secureBlocks(sequence.group, missing, phase)) return;
    this.#kv.grow(sequence.slot, sequence.targetCount);
    this.#stepPlan.decodeRows.add(sequence, 1, 0);
  }

  /** Runs as many of the tokens up to `endCount` as fit. */
  #runPrompt(sequence: Sequence, endCount: number, phase: Phase): void {
    if (phase === 'decode') return;
    const pending = this.#pendingPrompt(sequence, endCount);
    const chunk = chunkTokens(pending, this.#budget, this.#kv.blockTokens);
    const chunkEnd = sequence.computedCount + chunk;
    if (chunk === 0) return;
    if (!this.#secureBlocks(sequence.group, this.#kv.blocksMissing(sequence.slot, chunkEnd), phase)) return;
    this.#kv.grow(sequence.slot, chunkEnd);
    this.#budget.tokens -= chunk;
    this.#budget.logits -= chunkLogits(pending, chunk);
    this.#stepPlan.prefillRows.add(sequence, chunk, Math.min(chunk, pending.scoredCount));
  }

  #pendingPrompt(sequence: Sequence, endCount: number) {
    const { computedCount, group } = sequence;
    const { scoredCount } = group;
    const wantsScores = group.spec.scoresPrompt && sequence === group.leader;
    // Computed again after a preemption or by another leader: what was scored before is a chunk of its own.
    const isRepeated = wantsScores && computedCount < scoredCount;
    const end = isRepeated ? scoredCount : endCount;
    return {
      computedCount,
      pendingCount: end - computedCount,
      scoredCount: wantsScores && !isRepeated ? Math.max(0, group.commonCount - computedCount) : 0,
      endsWithSample: end === sequence.targetCount,
    };
  }

  #fork(group: SequenceGroup, phase: Phase): boolean {
    const copyCount = (group.slotCount - 1) * this.#kv.forkCopies(group.commonCount);
    if (!this.#secureBlocks(group, copyCount, phase)) return false;
    this.#residency.fork(group);
    return true;
  }

  /** Applies a pending choice of beams; false when blocks for the copies are missing. */
  #settleBeams(group: SequenceGroup, phase: Phase): boolean {
    const { parents } = group;
    if (parents === undefined) return true;
    const beamsBefore = group.isForked ? group.spec.width : 1;
    const extraBeams = group.spec.width - beamsBefore;
    const copyCount = extraBeams * this.#kv.forkCopies(group.leader.computedCount);
    if (!this.#secureBlocks(group, copyCount, phase)) return false;
    this.#residency.reorder(group, parents);
    return true;
  }

  /** Makes `blockCount` blocks available, at the cost of groups behind `group` if the policy allows it. */
  #secureBlocks(group: SequenceGroup, blockCount: number, phase: Phase): boolean {
    while (this.#kv.availableCount < blockCount) {
      const mayPreempt = this.#limits.policy === 'max_utilization' && phase !== 'start';
      invariant(
        this.#limits.policy === 'max_utilization',
        () => `guaranteed_no_evict lacks ${blockCount - this.#kv.availableCount} blocks`,
      );
      if (!mayPreempt || this.#running.last === group) return false;
      this.#preempt(this.#running.last!);
    }
    return true;
  }

  #preempt(group: SequenceGroup): void {
    this.#running.remove(group);
    this.#residency.preempt(group, this.#limits.swap);
    group.state = 'waiting';
    this.#waiting.add(group);
    this.#stepPlan.preemptedGroupCount++;
  }

  #startWaiting(): void {
    let reservedBlocks: number | undefined;
    for (let group = this.#waiting.first; group !== undefined; group = this.#waiting.first) {
      this.#stepPlan.waitReason = this.#reasonToWait(group);
      if (this.#stepPlan.waitReason !== undefined) return;
      reservedBlocks ??= this.#blocksAheadOfBatch();
      const match = this.#matchPrefix(group);
      const demand = blocksToStart(group, this.#kv, this.#limits.policy, match);
      if (demand + reservedBlocks > this.#kv.availableCount) {
        this.#stepPlan.waitReason = 'blocks';
        return;
      }
      this.#start(group, match);
      reservedBlocks += blocksAhead(group, this.#kv, this.#limits.policy);
    }
  }

  #blocksAheadOfBatch(): number {
    let blocks = 0;
    for (const group of this.#running) blocks += blocksAhead(group, this.#kv, this.#limits.policy);
    return blocks;
  }

  #matchPrefix(group: SequenceGroup): PrefixMatch {
    const { leader, spec } = group;
    const tokenCount = spec.width > 1 ? group.commonCount : leader.knownCount - 1;
    return this.#kv.match(leader.tokens, spec.scoresPrompt ? 0 : tokenCount, spec.cacheSalt);
  }

  /** Resource that a group lacks besides blocks of its own. */
  #reasonToWait(group: SequenceGroup): WaitReason | undefined {
    // Blocks were just taken away, so this is no time to start; and a result on its way may end the group.
    if (this.#stepPlan.preemptedGroupCount > 0 || group.isInFlight) return 'blocks';
    if (this.#residency.freeSlotCount < group.slotCount) return 'slots';
    const isOutOfBudget = this.#budget.tokens <= 0 || this.#budget.logits <= 0;
    return isOutOfBudget && this.#limits.batchingType !== 'V1' ? 'tokens' : undefined;
  }

  #start(group: SequenceGroup, match: PrefixMatch): void {
    const { takenCount, evictedCount } = this.#kv;
    this.#waiting.remove(group);
    this.#residency.enter(group, match);
    this.#charge(group, takenCount, evictedCount);
    this.#running.add(group);
    group.state = 'running';
    if (!group.wasScheduled) {
      group.cachedPromptTokens = group.leader.computedCount;
      group.blocks.reused = match.entries.length;
    }
    group.wasScheduled = true;
    this.#stepPlan.prefixHitTokens += match.entries.length * this.#kv.blockTokens;
    this.#runGroup(group, 'start');
  }
}

function expiryMs(group: SequenceGroup): number {
  const { startBeforeMs, endBeforeMs } = group.spec;
  return group.wasScheduled ? endBeforeMs : Math.min(startBeforeMs, endBeforeMs);
}
