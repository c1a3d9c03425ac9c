/**
 * Choosing the next token of a sequence from its logits. Every device computes this:
 *
 *  0. mask: tokens whose bit is 0 in the row's mask, if it has one, are impossible, whatever follows
 *  1. logits + logitBias
 *  2. repetition penalty on tokens of prompt or output: negative values times the penalty, others divided by it
 *  3. frequency penalty times the count in the output, and presence penalty once, subtracted from tokens of the output
 *  4. bad words: a token is impossible when it would complete one; the words may begin in the prompt
 *  5. min tokens: end ids are impossible while fewer tokens were generated
 *  6. greedy (temperature 0 or topK 1): the largest value, the lowest id among equal ones. Otherwise:
 *  7. values / temperature
 *  8. topK: keep what is not below the k-th largest value (all that are equal to it stay)
 *  9. topP: of those, keep a token when all tokens of larger value together have less than topP of the probability
 *     (all that are equal to the last one stay; the most likely token always stays)
 * 10. minP: keep what is not below the largest value + ln(minP)
 * 11. draw
 *
 * Steps 1 to 10 are Hugging Face transformers' logits processors in their order, computed in f32.
 * A number is bounded: NaN becomes minus infinity, plus infinity the largest f32. So are the logits before step 1, the
 * results of steps 1 to 5 together, and those of step 7; parameters are f32, and a temperature that is not above 0 is 0. Whatever the
 * numbers are, the token is an id of the vocabulary or -1, and -1 only when no logit that the mask allows is above minus infinity.
 * When steps 1 to 5, or 7, leave nothing possible, the largest of the unmodified logits is taken, among those that the mask
 * allows. The largest value passes steps 8 to 10 whatever the parameters are.
 *
 * The draw. Each kept token weighs round(exp(value - largest) * 2^30): whole numbers, so that sums are the same in any order
 * and on any number of threads; tokens 2^31 times less likely than the best are never drawn. One 64-bit number u comes from
 * Philox4x32-10 (Salmon et al. 2011) with the seed as key (low word first) and counter (p, 0, 0, 0), where p is the position
 * that the new token will have in its sequence; u is output word 1 over word 0. The token drawn is the first, by id, at which
 * the running sum of weights exceeds floor(u * total / 2^64). Nothing here depends on the other rows of a batch.
 *
 * Log probabilities are of the unmodified, bounded logits: logit - ln(sum of exp(logits)).
 *
 * Beams. The next tokens of a beam (SlotState.isBeam) are scored, not chosen: steps 0 to 5 act on the log probabilities
 * instead of the logits, and the results are reported in place of log probabilities, most likely token first; nothing is
 * renormalised. So does transformers' beam search with sequence_bias, repetition_penalty, bad_words_ids and min_new_tokens;
 * step 3, which it lacks, is applied to the same scores. When nothing is possible the log probabilities are reported as
 * they are, but for tokens that the mask forbids. The token given back is the one of the highest score.
 *
 * Cost: one to six passes over the row of logits; greedy without penalties reads it once.
 * Tolerance: token ids are equal to the reference's unless u falls within the rounding of exp (about 1e-7 of the total) of
 * a boundary; log probabilities differ by at most 2e-5.
 */
import type { OpCost } from '../../plan/ops/op-cost.js';
import { hasPenalties, type SamplingParams } from '../../core/sampling.js';

/** Units of a weight: exp(0). */
export const WEIGHT_ONE = 2 ** 30;

export function isGreedy(sampling: SamplingParams): boolean {
  return !(Math.fround(sampling.temperature) > 0) || sampling.topK === 1;
}

/** Whether the ids of earlier tokens matter, not only their count. */
export function needsHistory(sampling: SamplingParams): boolean {
  return hasPenalties(sampling) || sampling.badWords.length > 0;
}

/** Number of 32-bit words of a mask. */
export function maskWords(vocabulary: number): number {
  return Math.ceil(vocabulary / 32);
}

/** Number of most likely tokens that a row of logits reports; -1 reports no log probabilities at all. */
export function topCountOf(sampling: SamplingParams, isPrompt: boolean): number {
  return (isPrompt ? sampling.promptLogprobs : sampling.logprobs) ?? -1;
}

/** One reading of the logits; how often a choice reads them depends on its parameters. */
export function sampleCost(logitCount: number, vocabulary: number): OpCost {
  return { bytes: logitCount * vocabulary * 4, flops: 0 };
}
