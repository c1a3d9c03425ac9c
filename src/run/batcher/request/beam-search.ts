import type { BeamParams, FinishReason, TokenRequest } from '../../../core/request.js';
import type { RequestSink } from './request-sink.js';
import type { StopLists } from './stop-lists.js';

/** The best next tokens of one beam, best first, with their scores: log probabilities after penalties, biases and bans. */
export interface BeamCandidates {
  readonly tokenIds: Int32Array;
  readonly logprobs: Float32Array;
}

/** The beams of the next step: `tokenIds[i]` is appended to what beam `parents[i]` was. */
export interface BeamChoice {
  readonly parents: readonly number[];
  readonly tokenIds: readonly number[];
}

interface Continuation {
  readonly parent: number;
  readonly tokenId: number;
  readonly logprob: number;
  readonly cumulativeLogprob: number;
  readonly ending: Ending | undefined;
}

/** Why a hypothesis is complete, and how many of its last tokens are not output. */
interface Ending {
  readonly finishReason: FinishReason;
  readonly removedCount: number;
}

interface Hypothesis {
  readonly tokenIds: readonly number[];
  /** Scores of the tokens. */
  readonly logprobs: readonly number[];
  readonly cumulativeLogprob: number;
  readonly score: number;
  readonly finishReason: FinishReason;
}

/** Most likely tokens that each beam must report: enough although some of them may end. */
export function beamCandidateCount(
  { endIds, stopTokenLists }: Pick<TokenRequest, 'endIds' | 'stopTokenLists'>,
  { width }: BeamParams,
): number {
  return width + Math.max(width, endIds.length + stopTokenLists.length);
}

/**
 * Beam search as Hugging Face transformers does it (`GenerationMixin._beam_search`): of all continuations of all beams
 * the best by cumulative score are looked at. Those among the first `width` that end are hypotheses, ranked by
 * cumulative score / length ** lengthPenalty, where the length counts a closing end id; of them the best
 * `width` are kept. The best `width` that do not end are the next beams.
 */
export class BeamSearch {
  readonly candidateCount: number;
  readonly #request: TokenRequest;
  readonly #params: BeamParams;
  readonly #stopLists: StopLists;
  #scores: readonly number[] = [0];
  /** Scores of each beam's tokens; empty lists where nobody asked for them. */
  #paths: readonly (readonly number[])[] = [[]];
  /** Best first. */
  #hypotheses: readonly Hypothesis[] = [];
  #generatedCount = 0;

  constructor(request: TokenRequest, params: BeamParams, stopLists: StopLists) {
    this.#request = request;
    this.#params = params;
    this.#stopLists = stopLists;
    this.candidateCount = beamCandidateCount(request, params);
  }

  /** The search ended with fewer hypotheses than the request wants. */
  get isShort(): boolean {
    return this.#hypotheses.length < this.#request.sequenceCount;
  }

  /** Output tokens of the hypotheses that are returned. */
  get outputTokenCount(): number {
    return this.#returned().reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  }

  /**
   * Chooses the next beams.
   * @param outputs per beam the tokens generated so far
   * @returns undefined when the search is over
   */
  advance(outputs: readonly Int32Array[], candidates: readonly BeamCandidates[]): BeamChoice | undefined {
    this.#generatedCount++;
    const ranked = this.#rank(outputs, candidates);
    const ended = ranked.slice(0, this.#params.width).filter(({ ending }) => ending !== undefined);
    this.#keepBest(ended.map((continuation) => this.#hypothesis(outputs, continuation)));
    const next = ranked.filter(({ ending }) => ending === undefined).slice(0, this.#params.width);
    if (next.length === 0 || this.#isOver(next[0]!.cumulativeLogprob)) return undefined;
    // Fewer continuations than beams: the others follow the best one, and count for nothing.
    while (next.length < this.#params.width) next.push({ ...next[0]!, cumulativeLogprob: -Infinity });
    this.#scores = next.map(({ cumulativeLogprob }) => cumulativeLogprob);
    this.#paths = next.map((continuation) => this.#pathOf(continuation));
    return {
      parents: next.map(({ parent }) => parent),
      tokenIds: next.map(({ tokenId }) => tokenId),
    };
  }

  emitBest(sink: RequestSink): void {
    for (const [sequence, hypothesis] of this.#returned().entries()) {
      const { tokenIds, logprobs, cumulativeLogprob, finishReason } = hypothesis;
      const scores = tokenIds.map((tokenId, i) => ({ tokenId, logprob: logprobs[i]!, top: [] }));
      sink.event({
        type: 'sequence',
        id: this.#request.id,
        sequence,
        finishReason,
        tokenIds,
        cumulativeLogprob,
        ...(this.#wantsLogprobs ? { logprobs: scores } : {}),
      });
    }
  }

  get #wantsLogprobs(): boolean {
    return this.#request.sampling.logprobs !== undefined;
  }

  #pathOf({ parent, logprob }: Continuation): readonly number[] {
    return this.#wantsLogprobs ? [...this.#paths[parent]!, logprob] : [];
  }

  #returned(): readonly Hypothesis[] {
    return this.#hypotheses.slice(0, this.#request.sequenceCount);
  }

  /** All continuations, best first; ties keep the order of beams and candidates. */
  #rank(outputs: readonly Int32Array[], candidates: readonly BeamCandidates[]): Continuation[] {
    const continuations: Continuation[] = [];
    for (const [parent, { tokenIds, logprobs }] of candidates.entries()) {
      for (const [i, tokenId] of tokenIds.entries()) {
        const cumulativeLogprob = this.#scores[parent]! + logprobs[i]!;
        if (cumulativeLogprob === -Infinity) continue;
        continuations.push({
          parent,
          tokenId,
          logprob: logprobs[i]!,
          cumulativeLogprob,
          ending: this.#endingOf(outputs[parent]!, tokenId),
        });
      }
    }
    return continuations.toSorted((a, b) => b.cumulativeLogprob - a.cumulativeLogprob);
  }

  #endingOf(output: Int32Array, tokenId: number): Ending | undefined {
    if (this.#request.endIds.includes(tokenId)) return { finishReason: 'stop', removedCount: 1 };
    if (!this.#stopLists.isEmpty) {
      const removedCount = this.#stopLists.matchedCount(
        Int32Array.of(...output, tokenId),
        0,
        output.length + 1,
      );
      if (removedCount > 0) return { finishReason: 'stop_word', removedCount };
    }
    const isFull = this.#generatedCount === this.#request.maxOutputTokens;
    return isFull ? { finishReason: 'length', removedCount: 0 } : undefined;
  }

  #hypothesis(outputs: readonly Int32Array[], continuation: Continuation): Hypothesis {
    const { parent, tokenId, cumulativeLogprob, ending } = continuation;
    const tokenIds = [...outputs[parent]!, tokenId];
    return {
      tokenIds: tokenIds.slice(0, tokenIds.length - ending!.removedCount),
      logprobs: this.#pathOf(continuation),
      cumulativeLogprob,
      score: this.#normalised(cumulativeLogprob),
      finishReason: ending!.finishReason,
    };
  }

  #keepBest(ended: readonly Hypothesis[]): void {
    if (ended.length === 0) return;
    this.#hypotheses = [...this.#hypotheses, ...ended]
      .toSorted((a, b) => b.score - a.score)
      .slice(0, this.#params.width);
  }

  /** With enough hypotheses: always when stopping early, else when the best beam, ended now, would not beat the worst. */
  #isOver(bestLogprob: number): boolean {
    if (this.#hypotheses.length < this.#params.width) return false;
    return this.#params.earlyStopping || this.#hypotheses.at(-1)!.score >= this.#normalised(bestLogprob);
  }

  #normalised(cumulativeLogprob: number): number {
    return cumulativeLogprob / this.#generatedCount ** this.#params.lengthPenalty;
  }
}
