import type { RequestId, SlotId } from '../../core/ids.js';
import { NO_SLOT } from '../kv/block-tables.js';
import type { SwapImage } from '../kv/kv-cache.js';

/**
 * One continuation of a prompt. Three counts say where it stands: `knownCount` tokens are known to the host,
 * `inFlightCount` more are sampled by steps that are not read yet, and the KV of `computedCount` tokens is written by
 * the steps submitted so far. A step always runs some of the tokens from `computedCount` on.
 */
export class Sequence {
  readonly group: SequenceGroup;
  readonly index: number;
  /** [maxTokens] i32, prompt then output; the first `knownCount` are valid. */
  tokens: Int32Array;
  readonly promptCount: number;
  readonly maxTokens: number;
  slot: SlotId = NO_SLOT;
  knownCount: number;
  inFlightCount = 0;
  computedCount = 0;
  isFinished = false;

  constructor(group: SequenceGroup, index: number, spec: GroupSpec) {
    this.group = group;
    this.index = index;
    this.promptCount = spec.promptTokenIds.length;
    this.maxTokens = this.promptCount + spec.maxOutputTokens;
    this.tokens = new Int32Array(this.maxTokens);
    this.tokens.set(spec.promptTokenIds);
    this.knownCount = this.promptCount;
  }

  get outputCount(): number {
    return this.knownCount - this.promptCount;
  }

  /** Tokens whose KV can be asked for now. Beams, which the host chooses, stop at what it knows; others follow the device. */
  get targetCount(): number {
    return this.group.spec.isBeamSearch ? this.knownCount : this.knownCount + this.inFlightCount;
  }

  /** Tokens that could run in the next step. The last token of all is never run: nothing follows it. */
  get pendingCount(): number {
    const target = this.targetCount;
    return target < this.maxTokens && this.isActive ? target - this.computedCount : 0;
  }

  /** Takes part in the batch; beams other than the first do not until the first has spread. */
  get isActive(): boolean {
    return !this.isFinished && (this.index === 0 || this.group.isSpread);
  }

  /** True when the prompt is done and only the last token is to be run. */
  get isDecoding(): boolean {
    return this.computedCount >= this.promptCount && this.pendingCount === 1;
  }

  append(tokenId: number): void {
    this.tokens[this.knownCount++] = tokenId;
  }
}

export interface GroupSpec {
  readonly id: RequestId;
  readonly promptTokenIds: Int32Array;
  readonly maxOutputTokens: number;
  /** Sequences of the group: continuations or beams. They get slots together and are preempted together. */
  readonly width: number;
  readonly isBeamSearch: boolean;
  /** Logits of prompt tokens are wanted, so every one must be computed: no prefix reuse. */
  readonly scoresPrompt: boolean;
  readonly cacheSalt: string | undefined;
  readonly priority: number;
  readonly submittedMs: number;
  /** Latest time for the first schedule, and for the end; Infinity for none. */
  readonly startBeforeMs: number;
  readonly endBeforeMs: number;
}

/** The sequences of one request: the unit of admission, preemption and ranking. */
export class SequenceGroup {
  readonly spec: GroupSpec;
  readonly sequences: readonly Sequence[];
  /** Orders queue and batch, smaller first: submission time less the head start of its priority. */
  rankMs = 0;
  /** Breaks ties of `rankMs`: order of submission. */
  arrival = 0;
  state: 'waiting' | 'running' | 'over' = 'waiting';
  /** False while a beam search has one beam: the prompt, from whose continuations the first beams are chosen. */
  isSpread: boolean;
  /** False while only one sequence has KV, which the others will share. */
  isForked: boolean;
  /** Beam search: which beam each beam continues, to be applied before the next step. */
  parents: readonly number[] | undefined;
  /** Place of the KV while the group is swapped out. */
  image: SwapImage | undefined;
  /** Counts preemptions that dropped the KV: results of earlier steps do not fit the state any more. */
  epoch = 0;
  wasScheduled = false;
  /** Prompt tokens whose logits have been asked for, if the request wants prompt scores. */
  scoredCount = 0;
  /** Prompt tokens that the first schedule found in the prefix index. */
  cachedPromptTokens = 0;
  /** Device blocks taken for the group so far, of these the ones evicted for it, and those that its first start found. */
  readonly blocks = { taken: 0, evicted: 0, reused: 0 };

  constructor(spec: GroupSpec) {
    this.spec = spec;
    this.sequences = Array.from({ length: spec.width }, (_, index) => new Sequence(this, index, spec));
    this.isForked = spec.width === 1;
    this.isSpread = !spec.isBeamSearch || spec.width === 1;
  }

  /** Tokens that all sequences share and one computes: all of the prompt but its last token, whose logits each needs. */
  get commonCount(): number {
    return this.spec.promptTokenIds.length - 1;
  }

  /** The sequence that computes the common tokens. */
  get leader(): Sequence {
    return this.sequences.find((sequence) => !sequence.isFinished)!;
  }

  /** True when the common part must be shared out before the group can go on. */
  get needsFork(): boolean {
    return this.isSpread && !this.isForked;
  }

  /** Slots that the group needs: one per sequence that is not finished. */
  get slotCount(): number {
    let count = 0;
    for (const sequence of this.sequences) if (!sequence.isFinished) count++;
    return count;
  }

  /** True while a step that is not read yet samples for the group. */
  get isInFlight(): boolean {
    for (const sequence of this.sequences) if (sequence.inFlightCount > 0) return true;
    return false;
  }
}
