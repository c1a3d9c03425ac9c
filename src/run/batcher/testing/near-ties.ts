/** Comparing answers of a device whose roundings depend on the size of a step. */
import { expect } from 'vitest';
import type { TokenRequest } from '../../../core/request.js';
import { dependsOnOutput } from '../../../core/sampling.js';
import type { OutcomeCollector, SequenceOutcome } from './outcome.js';

/** Limits of how far answers may part. */
export interface NearTies {
  /** Largest lead of the best token's log probability at which a greedy answer may take another one. */
  readonly maxMargin: number;
  /** Sequences that may part for each token that was drawn up to there: random draws near a boundary. */
  readonly maxPartingsPerToken: number;
}

/** The same request, which also reports how far ahead each token was. */
export function withMargins(request: TokenRequest): TokenRequest {
  if (!reportsMargin(request)) return request;
  const { sampling } = request;
  return { ...request, sampling: { ...sampling, logprobs: Math.max(2, sampling.logprobs ?? 0) } };
}

/** Returns true if the likeliest token is the one that is taken: not after penalties, biases and bans. */
function reportsMargin({ sampling, beam, sequenceCount }: TokenRequest): boolean {
  const isPlain = !dependsOnOutput(sampling) && sampling.logitBias.size === 0;
  return beam === undefined && sequenceCount === 1 && isPlain && sampling.temperature === 0;
}

/** The answers of two runs. */
export interface Runs {
  readonly requests: readonly TokenRequest[];
  readonly together: readonly OutcomeCollector[];
  readonly alone: readonly OutcomeCollector[];
}

/** @param name is printed with what was found */
export function expectNearlySame(
  name: string,
  { requests, together, alone }: Runs,
  { maxMargin, maxPartingsPerToken }: NearTies,
): void {
  let [partingCount, tokenCount, largestMargin] = [0, 0, 0];
  for (const [i, request] of requests.entries()) {
    const [actual, expected] = [together[i]!.outcome, alone[i]!.outcome];
    expect(actual.error, request.id).toBe(expected.error);
    expect([...actual.sequences.keys()], request.id).toEqual([...expected.sequences.keys()]);
    for (const [index, sequence] of expected.sequences) {
      const at = partingOf(sequence, actual.sequences.get(index)!);
      tokenCount += at === undefined ? sequence.tokenIds.length : at + 1;
      if (at === undefined) continue;
      partingCount++;
      const margin = reportsMargin(request) ? marginAt(sequence, at) : undefined;
      if (margin === undefined) continue;
      expect(margin, request.id).toBeLessThan(maxMargin);
      largestMargin = Math.max(largestMargin, margin);
    }
  }
  const perToken = partingCount / tokenCount;
  console.info(
    `${name}: ${partingCount} answers part in ${tokenCount} tokens (${perToken.toFixed(4)}), greedy ones at margins up to ${largestMargin.toFixed(4)}`,
  );
  expect(perToken).toBeLessThanOrEqual(maxPartingsPerToken);
}

/** Index of the first token that differs; undefined when the sequences are the same. */
function partingOf(expected: SequenceOutcome, actual: SequenceOutcome): number | undefined {
  const [a, b] = [expected.tokenIds, actual.tokenIds];
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) return i;
  return expected.finishReason === actual.finishReason ? undefined : a.length;
}

/** Lead of the likeliest token over the next. Unknown where none was asked for, and of the token that ended a sequence. */
function marginAt({ logprobs }: SequenceOutcome, index: number): number | undefined {
  const [first, second] = logprobs[index]?.top ?? [];
  return first === undefined || second === undefined ? undefined : first.logprob - second.logprob;
}
