/**
 * A language model without weights: the logits of the next token are a hash of all tokens before it. Two histories
 * that differ anywhere give unrelated logits, so a scheduling fault cannot hide.
 */
import { GREEDY, type SamplingParams } from '../../../core/sampling.js';
import type { SlotState } from '../../../core/step.js';
import { modifiedLogits, type SampleContext } from '../../../ops/sample/reference.js';

export const EMPTY_HISTORY = 0x2545f491;

/** The hash of a history with one more token. */
export function extendHistory(history: number, tokenId: number): number {
  return scramble(Math.imul(history ^ (tokenId + 1), 0x9e3779b1));
}

/** Logits after a history, in [0, 8).  -> [vocabulary] f32 */
export function toyLogits(history: number, vocabulary: number): Float32Array {
  const logits = new Float32Array(vocabulary);
  for (let token = 0; token < vocabulary; token++) logits[token] = 8 * unitHash(history, token);
  return logits;
}

/** Natural logarithm of softmax.  logits [vocabulary] f32 -> [vocabulary] f64 */
export function logSoftmax(logits: Float32Array): Float64Array {
  let max = -Infinity;
  for (const logit of logits) max = Math.max(max, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  const logSum = max + Math.log(sum);
  return Float64Array.from(logits, (logit) => logit - logSum);
}

/** Token ids by falling value, at most `count` of them; ties go to the smaller id, impossible ones are left out. */
export function topTokens(values: Float64Array | Float32Array, count: number): number[] {
  return Array.from(values.keys())
    .filter((token) => values[token]! > -Infinity)
    .toSorted((a, b) => values[b]! - values[a]! || a - b)
    .slice(0, count);
}

/** A slot with the bits of the tokens that may come next, if there are any. */
type MaskedSlot = SlotState & Pick<SampleContext, 'mask'>;

/** The slot with its mask and nothing else that changes logits. */
const bareSlot = (slot: MaskedSlot): SampleContext => ({ ...slot, sampling: GREEDY, endIds: [] });

/** The sampled token for the sequence in `slot`, whose last token is at `position`. */
export function sampleToy(logits: Float32Array, slot: MaskedSlot, position: number): number {
  const { sampling } = slot;
  const scores = allowed(modifiedLogits(logits, slot), modifiedLogits(logits, bareSlot(slot)));
  if (sampling.temperature === 0 || sampling.topK === 1) return topTokens(scores, 1)[0]!;
  const kept = topTokens(scores, sampling.topK === 0 ? scores.length : sampling.topK);
  const noisy = new Float64Array(scores.length).fill(-Infinity);
  for (const token of kept)
    noisy[token] = scores[token]! / sampling.temperature + gumbel(sampling, position, token);
  return topTokens(noisy, 1)[0]!;
}

/** Scores that a beam reports of its next tokens.  -> [vocabulary] f64 */
export function beamScores(logits: Float32Array, slot: MaskedSlot): Float64Array {
  const logprobs = Float32Array.from(logSoftmax(logits));
  return Float64Array.from(allowed(modifiedLogits(logprobs, slot), modifiedLogits(logprobs, bareSlot(slot))));
}

/** When everything is forbidden, nothing is. */
function allowed(modified: Float32Array, unmodified: Float32Array): Float32Array {
  return modified.some((value) => value > -Infinity) ? modified : unmodified;
}

/** Gumbel noise: the largest of score + noise is a sample of softmax(score). */
function gumbel(sampling: SamplingParams, position: number, token: number): number {
  const seed = Number(BigInt.asIntN(32, sampling.seed ^ (sampling.seed >> 32n)));
  return -Math.log(-Math.log(unitHash(extendHistory(seed, position), token)));
}

/** A number in (0, 1) from two others. */
function unitHash(a: number, b: number): number {
  return ((scramble(a ^ Math.imul(b + 1, 0x85ebca6b)) >>> 0) + 0.5) / 2 ** 32;
}

/** Finaliser of MurmurHash3 (public domain). */
function scramble(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
