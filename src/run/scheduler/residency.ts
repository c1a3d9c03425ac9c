import type { SlotId } from '../../core/ids.js';
import { NO_SLOT } from '../kv/block-tables.js';
import type { KvCache, PrefixMatch } from '../kv/kv-cache.js';
import type { StepPlan } from './step-plan.js';
import type { Sequence, SequenceGroup } from './sequence.js';

/**
 * Brings groups into slots and KV blocks and out again. It decides nothing: the scheduler asks for what it has found
 * to be possible.
 */
export class Residency {
  readonly #kv: KvCache;
  readonly #plan: StepPlan;
  readonly #freeSlots: SlotId[];

  constructor(kv: KvCache, plan: StepPlan, slotCount: number) {
    this.#kv = kv;
    this.#plan = plan;
    this.#freeSlots = Array.from({ length: slotCount }, (_, i) => (slotCount - 1 - i) as SlotId);
  }

  get freeSlotCount(): number {
    return this.#freeSlots.length;
  }

  /** Gives the group its slots and the KV that is left of it: from the host tier or from the prefix index. */
  enter(group: SequenceGroup, match: PrefixMatch): void {
    for (const sequence of group.sequences) {
      if (sequence.isFinished) continue;
      sequence.slot = this.#freeSlots.pop()!;
      this.#plan.attached.push(sequence);
    }
    if (group.image === undefined) this.#openTables(group, match);
    else this.#kv.swapIn(group.image, slotsOf(group));
    group.image = undefined;
  }

  /** Shares the common part of the group's first sequence with the others. */
  fork(group: SequenceGroup): void {
    const { leader } = group;
    for (const sequence of group.sequences) {
      if (sequence.isFinished || sequence === leader) continue;
      this.#kv.fork(leader.slot, sequence.slot, group.commonCount);
      sequence.computedCount = group.commonCount;
    }
    group.isForked = true;
  }

  /** Applies the host's choice of beams: beam i goes on from beam `parents[i]`. */
  reorder(group: SequenceGroup, parents: readonly number[]): void {
    const { computedCount } = group.leader;
    this.#kv.reorder(slotsOf(group), parents, computedCount);
    for (const sequence of group.sequences) sequence.computedCount = computedCount;
    group.parents = undefined;
    group.isForked = true;
  }

  /** Adds the full blocks that earlier steps have computed to the prefix index. */
  publish(group: SequenceGroup): void {
    if (group.parents !== undefined) return; // tokens are those of the new beams, tables still of the old ones
    for (const sequence of group.sequences) {
      if (sequence.slot === NO_SLOT) continue;
      const tokenCount = Math.min(sequence.computedCount, sequence.knownCount);
      this.#kv.publish(sequence.slot, sequence.tokens, tokenCount, group.spec.cacheSalt);
    }
  }

  /** Takes slots and blocks away from a group that will come back. */
  preempt(group: SequenceGroup, swap: boolean): void {
    this.publish(group);
    if (swap) group.image = this.#kv.swapOut(slotsOf(group));
    if (group.image === undefined) this.#forget(group);
    for (const sequence of group.sequences) this.#giveUpSlot(sequence);
  }

  /** Takes slot and blocks away from a sequence for good. */
  leave(sequence: Sequence): void {
    if (sequence.slot !== NO_SLOT) this.#kv.close(sequence.slot);
    this.#giveUpSlot(sequence);
    sequence.isFinished = true;
  }

  /** All KV of the group has to be computed again, except what the prefix index keeps. */
  #forget(group: SequenceGroup): void {
    for (const sequence of group.sequences) {
      if (sequence.slot !== NO_SLOT) this.#kv.close(sequence.slot);
      sequence.computedCount = 0;
    }
    group.isForked = group.spec.width === 1;
    group.parents = undefined;
    group.epoch++;
  }

  #openTables(group: SequenceGroup, match: PrefixMatch): void {
    const { leader } = group;
    this.#kv.open(leader.slot, match);
    leader.computedCount = match.entries.length * this.#kv.blockTokens;
  }

  #giveUpSlot(sequence: Sequence): void {
    if (sequence.slot === NO_SLOT) return;
    this.#plan.detach(sequence.slot);
    this.#freeSlots.push(sequence.slot);
    sequence.slot = NO_SLOT;
  }
}

function slotsOf(group: SequenceGroup): SlotId[] {
  return group.sequences.map((sequence) => sequence.slot);
}
