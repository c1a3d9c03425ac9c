/** The specification of `contract.ts` in code: sorts where kernels select, and has no regard for speed. */
import { roundHalfToEven } from '../../core/dtype.js';
import { hasPenalties, type SamplingParams } from '../../core/sampling.js';
import { isGreedy, WEIGHT_ONE } from './contract.js';
import { randomBits } from './philox.js';

/** A sequence as sampling sees it. */
export interface SampleContext {
  readonly sampling: SamplingParams;
  readonly endIds: readonly number[];
  readonly promptTokenIds: ArrayLike<number>;
  readonly outputTokenIds: ArrayLike<number>;
  /** [vocabulary / 32] bits of the tokens that may be sampled; undefined: all. */
  readonly mask?: Int32Array | undefined;
}

/**
 * The next token, or -1 when no logit is a number above minus infinity.
 * @param logits [vocabulary] f32
 * @param position that the token will have in its sequence
 */
export function sampleReference(logits: Float32Array, context: SampleContext, position: number): number {
  const values = modifiedLogits(logits, context);
  const { sampling } = context;
  const fallback = (): number => greatest(maskedLogits(logits, context.mask));
  if (greatest(values) < 0) return fallback();
  if (isGreedy(sampling)) return greatest(values);
  const kept = keptValues(values, sampling);
  return greatest(kept) < 0 ? fallback() : drawReference(kept, sampling.seed, position);
}

/** Largest f32. */
const HIGHEST = Math.fround(3.4028234663852886e38);

function bounded(value: number): number {
  return Number.isNaN(value) ? -Infinity : Math.min(value, HIGHEST);
}

/** Step 0: minus infinity where the mask forbids a token. */
function maskedLogits(logits: Float32Array, mask: Int32Array | undefined): Float32Array {
  const isAllowed = (id: number): boolean => mask === undefined || ((mask[id >> 5]! >>> (id & 31)) & 1) === 1;
  return logits.map((value, id) => (isAllowed(id) ? bounded(value) : -Infinity));
}

/** Steps 0 to 5: minus infinity where a token is impossible. */
export function modifiedLogits(logits: Float32Array, context: SampleContext): Float32Array {
  const { sampling, endIds, outputTokenIds } = context;
  const values = maskedLogits(logits, context.mask);
  for (const [id, bias] of sampling.logitBias) values[id]! += Math.fround(bias);
  if (hasPenalties(sampling)) penalise(values, context);
  forbidBadWords(values, context);
  if (outputTokenIds.length < sampling.minTokens) for (const id of endIds) values[id] = -Infinity;
  return values.map(bounded);
}

function penalise(values: Float32Array, { sampling, promptTokenIds, outputTokenIds }: SampleContext): void {
  const outputCounts = new Map<number, number>();
  for (const id of Array.from(promptTokenIds)) outputCounts.set(id, 0);
  for (const id of Array.from(outputTokenIds)) outputCounts.set(id, (outputCounts.get(id) ?? 0) + 1);
  const { fround } = Math;
  const [repetition, frequency, presence] = [
    fround(sampling.repetitionPenalty),
    fround(sampling.frequencyPenalty),
    fround(sampling.presencePenalty),
  ];
  for (const [id, count] of outputCounts) {
    const value = values[id]!;
    values[id] = value < 0 ? value * repetition : value / repetition;
    if (count > 0) values[id] = fround(values[id] - fround(frequency * count)) - presence;
  }
}

function forbidBadWords(values: Float32Array, context: SampleContext): void {
  const history = [...Array.from(context.promptTokenIds), ...Array.from(context.outputTokenIds)];
  for (const word of context.sampling.badWords) {
    const prefix = word.slice(0, -1);
    const end = history.slice(history.length - prefix.length);
    const completes = prefix.length <= history.length && prefix.every((id, index) => id === end[index]);
    if (completes) values[word.at(-1)!] = -Infinity;
  }
}

/** Steps 7 to 10: scaled values; minus infinity where a token was dropped. */
export function keptValues(values: Float32Array, sampling: SamplingParams): Float32Array {
  const temperature = Math.fround(sampling.temperature);
  const scaled = values.map((value) => bounded(value / temperature));
  const descending = scaled.toSorted().toReversed();
  const largest = descending[0]!;
  let threshold = -Infinity;
  if (sampling.topK > 0 && sampling.topK < scaled.length) threshold = descending[sampling.topK - 1]!;
  if (sampling.topP < 1) {
    const kept = descending.filter((value) => value >= threshold);
    threshold = topPThreshold(kept, sampling.topP);
  }
  if (sampling.minP > 0)
    threshold = Math.max(threshold, Math.fround(largest + Math.fround(Math.log(Math.fround(sampling.minP)))));
  threshold = Math.min(threshold, largest);
  return scaled.map((value) => (value < threshold ? -Infinity : value));
}

/** The lowest value such that all larger ones together have less than `share` of the weight. */
function topPThreshold(descending: Float32Array, share: number): number {
  const weights = Array.from(descending, (value) => weightOf(value, descending[0]!));
  const target = share * weights.reduce((sum, weight) => sum + weight, 0);
  let threshold = descending[0]!;
  let larger = 0;
  for (let i = 0; i < weights.length && weights[i]! > 0 && larger < target; i++) {
    threshold = descending[i]!;
    larger += weights[i]!;
  }
  return threshold;
}

/** Step 11. */
function drawReference(values: Float32Array, seed: bigint, position: number): number {
  const largest = values.reduce((a, b) => Math.max(a, b));
  const weights = Array.from(values, (value) => weightOf(value, largest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let point = Number((randomBits(seed, position) * BigInt(total)) >> 64n);
  return weights.findIndex((weight) => {
    point -= weight;
    return point < 0;
  });
}

function weightOf(value: number, largest: number): number {
  return roundHalfToEven(Math.fround(Math.exp(Math.fround(value - largest))) * WEIGHT_ONE);
}

/** Lowest id of the largest value; -1 when there is none above minus infinity. */
function greatest(values: Float32Array | Float64Array): number {
  let best = -1;
  values.forEach((value, id) => {
    if (value > (values[best] ?? -Infinity)) best = id;
  });
  return best;
}

interface TokenScore {
  readonly tokenId: number;
  readonly logprob: number;
}

/** Log probabilities of the unmodified logits: of one token, and of the `topCount` most likely, equal ones by id. */
export function scoreReference(logits: Float32Array, tokenId: number, topCount: number): ReportedScores {
  return report(logProbabilities(logits), tokenId, topCount);
}

/** Scores of the next tokens of a beam: log probabilities after steps 1 to 5. Token -1 when no logit is a number. */
export function scoreBeamReference(
  logits: Float32Array,
  context: SampleContext,
  topCount: number,
): ReportedScores & { readonly tokenId: number } {
  const logprobs = logProbabilities(logits);
  const modified = modifiedLogits(Float32Array.from(logprobs), context);
  const allowed = Float64Array.from(maskedLogits(Float32Array.from(logprobs), context.mask));
  const fallback = context.mask === undefined ? logprobs : allowed;
  const scores = greatest(modified) < 0 ? fallback : Float64Array.from(modified);
  const tokenId = greatest(scores);
  return { tokenId, ...report(scores, tokenId, topCount) };
}

export interface ReportedScores {
  readonly logprob: number;
  readonly top: readonly TokenScore[];
}

function logProbabilities(logits: Float32Array): Float64Array {
  const values = logits.map(bounded);
  const largest = values.reduce((a, b) => Math.max(a, b));
  const logSum = largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return Float64Array.from(values, (value) => value - logSum);
}

function report(scores: Float64Array, tokenId: number, topCount: number): ReportedScores {
  const ranked = Array.from(scores, (logprob, id) => ({ tokenId: id, logprob }))
    .filter(({ logprob }) => logprob > -Infinity)
    .toSorted((a, b) => b.logprob - a.logprob || a.tokenId - b.tokenId);
  return { logprob: scores[tokenId]!, top: ranked.slice(0, topCount) };
}
