import {
  byName,
  FILTER_NAMES,
  type FilterName,
  PENALTY_NAMES,
  SAMPLING_FIELD_NAMES,
  SAMPLING_FIELDS,
  type SamplingNumbers,
} from './sampling-fields.js';

/** Parameters that choose the next token of one sequence. Same meaning on every device. */
export interface SamplingParams extends SamplingNumbers {
  /** Added to the logits of single tokens, before everything else. */
  readonly logitBias: ReadonlyMap<number, number>;
  /** Token sequences that must not be completed. */
  readonly badWords: readonly (readonly number[])[];
  /** Seeds the counter-based generator together with the position; equal seeds give equal output in any batch. */
  readonly seed: bigint;
  /** Number of most likely tokens to report with log probabilities for each output token; 0 reports none, undefined no log probabilities at all. */
  readonly logprobs: number | undefined;
  /** The same for the tokens of the prompt. */
  readonly promptLogprobs: number | undefined;
}

/** Value of each parameter that changes nothing. */
export const NEUTRAL: SamplingNumbers = byName(SAMPLING_FIELD_NAMES, (name) => SAMPLING_FIELDS[name].neutral);

/** Filters of greedy search. */
export const GREEDY_FILTERS: Pick<SamplingNumbers, FilterName> = {
  ...byName(FILTER_NAMES, (name) => NEUTRAL[name]),
  temperature: SAMPLING_FIELDS.temperature.greedy,
};

/** Numbers that the lists of a sequence hold: two a logit bias, one an end id, and one more than its tokens a bad word. */
export function listNumberCount(
  { logitBias, badWords }: Pick<SamplingParams, 'logitBias' | 'badWords'>,
  endIds: readonly number[],
): number {
  return badWords.reduce((sum, word) => sum + 1 + word.length, 2 * logitBias.size + endIds.length);
}

export const GREEDY: SamplingParams = {
  ...NEUTRAL,
  ...GREEDY_FILTERS,
  logitBias: new Map(),
  badWords: [],
  seed: 0n,
  logprobs: undefined,
  promptLogprobs: undefined,
};

/** True if tokens of the prompt or the output are made less, or more, likely. */
export function hasPenalties(sampling: SamplingNumbers): boolean {
  return PENALTY_NAMES.some((name) => sampling[name] !== NEUTRAL[name]);
}

/** True if earlier output changes the values of the next tokens: a device must then know the true history. */
export function dependsOnOutput(sampling: SamplingParams): boolean {
  return hasPenalties(sampling) || sampling.badWords.length > 0 || sampling.minTokens > 0;
}
