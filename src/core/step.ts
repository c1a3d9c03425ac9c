/** The step: what the scheduler asks an executor to run, as flat typed arrays that can be sent to every rank as they are. */
import type { SamplingParams } from './sampling.js';

/**
 * One packed batch. Rows are sequences; a row contributes one or more consecutive tokens (a prompt chunk or one decode token).
 * Arrays may be longer than needed; the counts say how much is used.
 */
export interface StepInput {
  readonly stepId: number;
  readonly tokenCount: number;
  readonly rowCount: number;
  readonly logitCount: number;
  /** [tokens] token id; -1 takes the token that was last sampled for the row's slot (device-resident feedback). */
  readonly tokenIds: Int32Array;
  /** [tokens] position in the sequence; contiguous within a row. */
  readonly positions: Int32Array;
  /** [rows + 1] first token of each row; last entry = tokenCount. */
  readonly rowOffsets: Int32Array;
  /** [rows] slot of each row. */
  readonly rowSlots: Int32Array;
  /** [rows] tokens in the KV cache after this step, = last position + 1. */
  readonly contextLengths: Int32Array;
  /** [rows, maxBlocksPerSequence] block ids in order; unused entries are -1. */
  readonly blockTables: Int32Array;
  readonly maxBlocksPerSequence: number;
  /** [logits] index of a token whose logits are wanted, ascending. */
  readonly logitTokens: Int32Array;
  /** [logits] row of that token. */
  readonly logitRows: Int32Array;
  /** [logits] -1: sample a token and make it the slot's last token; otherwise only score this token id (prompt log probabilities). */
  readonly logitTargets: Int32Array;
  /** [logits] number of the mask of tokens that may be sampled; -1: any token may. */
  readonly logitMasks: Int32Array;
  readonly maskCount: number;
  /** [masks, vocabulary / 32] one bit a token, lowest first: 1 where it may be sampled. */
  readonly masks: Int32Array;
  /** True when `masks` are not known yet: the forward pass begins without them, and sampling when they are supplied. */
  readonly masksFollow: boolean;
  /**
   * Block moves before the step, exact length, applied in this order and each list from its start:
   * [2 * n] (device block, host block) pairs saved to the host tier,
   */
  readonly blocksToHost: Int32Array;
  /** [2 * n] (device block, host block) pairs loaded from the host tier, */
  readonly blocksFromHost: Int32Array;
  /** [2 * n] (from, to) pairs copied inside the cache: copy-on-write. No block is both a source and a destination. */
  readonly blockCopies: Int32Array;
  /** True when [logits, vocabulary] logits themselves are wanted in the output. */
  readonly returnLogits: boolean;
}

/** Results of a step. */
export interface StepOutput {
  readonly stepId: number;
  readonly logitCount: number;
  /**
   * [logits] sampled token, or the target that was scored. -1: nothing could be sampled, because the row has no finite logit;
   * the slot goes on as if token 0 had been sampled, and what it gives from then on means nothing.
   */
  readonly tokenIds: Int32Array;
  /**
   * [logits] log probability of that token under the unmodified model distribution (after temperature 1, before penalties);
   * NaN when no row asked. For tokens sampled in a slot of a beam search its score (see `SlotState.isBeam`), here and below.
   */
  readonly logprobs: Float32Array;
  /** Largest `logprobs`/`promptLogprobs` asked for by any row of this step. */
  readonly topCount: number;
  /** [logits, topCount] most likely first; -1 where a row asked for fewer. */
  readonly topTokenIds: Int32Array;
  readonly topLogprobs: Float32Array;
  /** [logits, vocabulary] if asked for. */
  readonly logits: Float32Array | undefined;
  /** Time the device worked on it, ms. */
  readonly deviceMs: number;
  /**
   * Time from the end of the step before to its start, and its wait for masks that follow, ms: what the host kept the device waiting.
   * 0 for the first that has its masks, and where nobody measures.
   */
  readonly idleMs: number;
}

/** State that a slot keeps on the device while a sequence owns it: sampling parameters, penalties' counts, last token. */
export interface SlotState {
  readonly slot: number;
  readonly sampling: SamplingParams;
  /**
   * A beam of a beam search: bias, penalties, bad words and min tokens act on the log probabilities of the model, and what
   * the step reports are these scores, not renormalised, as the logits processors of Hugging Face transformers' beam search.
   * The token chosen means nothing: the host chooses, and attaches the slot anew when the beam's history has changed.
   */
  readonly isBeam: boolean;
  readonly endIds: readonly number[];
  /** For repetition penalties and bad words. */
  readonly promptTokenIds: Int32Array;
  /** Tokens generated so far: not empty when a preempted sequence comes back or a beam is forked. */
  readonly outputTokenIds: Int32Array;
}
