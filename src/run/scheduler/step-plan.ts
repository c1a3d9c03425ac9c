import { Int32List } from '../kv/int32-list.js';
import type { SlotId } from '../../core/ids.js';
import type { WaitReason } from '../../core/batcher-stats.js';
import type { Sequence } from './sequence.js';

/** Rows of a step: which tokens of which sequences run. Structure of arrays, reused from step to step. */
export class RowList {
  readonly #sequences: (Sequence | undefined)[] = [];
  /** [rows] first position, token count, and how many tokens from the first on are scored. */
  readonly starts = new Int32List();
  readonly counts = new Int32List();
  readonly scoreCounts = new Int32List();
  /** [rows] 1 when the row's last token is followed by a sampled one. */
  readonly samples = new Int32List();
  tokenCount = 0;

  get length(): number {
    return this.starts.length;
  }

  sequence(row: number): Sequence {
    return this.#sequences[row]!;
  }

  /** The next `count` tokens of `sequence` run, the first `scoreCount` of them to be scored; moves the counts of the sequence on. */
  add(sequence: Sequence, count: number, scoreCount: number): void {
    const isSampled = sequence.computedCount + count === sequence.targetCount;
    this.#sequences[this.starts.length] = sequence;
    this.starts.push(sequence.computedCount);
    this.counts.push(count);
    this.scoreCounts.push(scoreCount);
    this.samples.push(Number(isSampled));
    this.tokenCount += count;
    sequence.computedCount += count;
    sequence.group.scoredCount += scoreCount;
    if (isSampled) sequence.inFlightCount++;
  }

  clear(): void {
    this.#sequences.fill(undefined, 0, this.starts.length);
    this.starts.clear();
    this.counts.clear();
    this.scoreCounts.clear();
    this.samples.clear();
    this.tokenCount = 0;
  }
}

/** The next step. Valid until the scheduler plans again. */
export class StepPlan {
  /** Sequences that run their last token, then sequences that run a part of their prompt. */
  readonly decodeRows = new RowList();
  readonly prefillRows = new RowList();
  /** Slots to detach, then sequences to attach to their slots, before the step. */
  readonly detachedSlots = new Int32List();
  readonly attached: Sequence[] = [];
  preemptedGroupCount = 0;
  prefixHitTokens = 0;
  /** Why the first waiting request did not start. */
  waitReason: WaitReason | undefined;

  get rowCount(): number {
    return this.decodeRows.length + this.prefillRows.length;
  }

  get tokenCount(): number {
    return this.decodeRows.tokenCount + this.prefillRows.tokenCount;
  }

  detach(slot: SlotId): void {
    this.detachedSlots.push(slot);
  }

  /** Leaves `detachedSlots` as it is: slots given up between steps stay listed until the next step is handed out. */
  clear(): void {
    this.decodeRows.clear();
    this.prefillRows.clear();
    this.attached.length = 0;
    this.preemptedGroupCount = 0;
    this.prefixHitTokens = 0;
    this.waitReason = undefined;
  }
}
