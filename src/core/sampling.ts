/** How the next token of one sequence is chosen. Same meaning on every device. */
export interface SamplingParams {
  /** Divides the logits. 0 means greedy. Default 1. */
  readonly temperature: number;
  /** Keep the k most likely tokens; 0 keeps all; 1 is greedy. */
  readonly topK: number;
  /** Keep the smallest set of most likely tokens whose probability reaches this; 1 keeps all. */
  readonly topP: number;
  /** Drop tokens less likely than this share of the most likely one; 0 keeps all. */
  readonly minP: number;
  /** Hugging Face definition: logits of tokens in prompt or output are divided (if > 0) or multiplied (if < 0). 1 is off. */
  readonly repetitionPenalty: number;
  /** OpenAI definition: subtracted once from tokens already generated. 0 is off. */
  readonly presencePenalty: number;
  /** OpenAI definition: subtracted per earlier generation of the token. 0 is off. */
  readonly frequencyPenalty: number;
  /** End ids are impossible before this many tokens were generated. */
  readonly minTokens: number;
  /** Added to the logits of single tokens, before everything else. */
  readonly logitBias: ReadonlyMap<number, number>;
  /** Token sequences that must not be completed. */
  readonly badWords: readonly (readonly number[])[];
  /** Seeds the counter-based generator together with the position; equal seeds give equal output in any batch. */
  readonly seed: bigint;
  /** How many most likely tokens to report with log probabilities for each output token; 0 reports none, undefined no log probabilities at all. */
  readonly logprobs: number | undefined;
  /** The same for the tokens of the prompt. */
  readonly promptLogprobs: number | undefined;
}

/** Whether tokens of the prompt or the output are made less, or more, likely. */
export function hasPenalties(sampling: SamplingParams): boolean {
  return (
    sampling.repetitionPenalty !== 1 || sampling.presencePenalty !== 0 || sampling.frequencyPenalty !== 0
  );
}

/** Whether what was generated before changes the values of the next tokens: a device must then know the true history. */
export function dependsOnOutput(sampling: SamplingParams): boolean {
  return hasPenalties(sampling) || sampling.badWords.length > 0 || sampling.minTokens > 0;
}

/** Numbers that the lists of a sequence hold: two a logit bias, one an end id, and one more than its tokens a bad word. */
export function listNumberCount(
  { logitBias, badWords }: Pick<SamplingParams, 'logitBias' | 'badWords'>,
  endIds: readonly number[],
): number {
  return badWords.reduce((sum, word) => sum + 1 + word.length, 2 * logitBias.size + endIds.length);
}

export const GREEDY: SamplingParams = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  minTokens: 0,
  logitBias: new Map(),
  badWords: [],
  seed: 0n,
  logprobs: undefined,
  promptLogprobs: undefined,
};
