import { joinLogits } from '../../../core/logits.js';
import type { FinishReason, SequenceEvent, TokenLogprobs, TokenRequest } from '../../../core/request.js';
import type { StepOutput } from '../../../core/step.js';
import type { Sequence } from '../../scheduler/sequence.js';
import type { ConstraintRun } from './constraint-run.js';
import type { RequestSink } from './request-sink.js';
import { logitsAt, logprobsAt } from './step-results.js';
import type { StopLists } from './stop-lists.js';

/** Parts of a request that its sequences read. */
export interface SequenceOwner {
  readonly tokens: TokenRequest;
  readonly sink: RequestSink;
  readonly stopLists: StopLists;
  /** True if tokens are emitted as they are sampled. */
  readonly streams: boolean;
  /** True if log probabilities are added up. */
  readonly tracksLogprobs: boolean;
  /** True if token events hold nothing but tokens. */
  readonly isPlain: boolean;
}

/** Output side of a sequence: the tokens that were sampled, those of them that may be shown, and why it ended. */
export class SequenceRun<Owner extends SequenceOwner> {
  readonly request: Owner;
  readonly sequence: Sequence;
  /** Sum over all that was generated, a closing end id or stop list included; NaN when nobody asked. */
  cumulativeLogprob: number;
  finishReason: FinishReason | undefined;
  /** State of the request's constraint; undefined without one. */
  constraint: ConstraintRun | undefined;
  /** Tokens that are output: all generated ones but a stop list at the end. */
  #stopCount = 0;
  #emittedCount = 0;
  /** Details of the tokens that are not emitted yet, if asked for. */
  readonly #logprobs: TokenLogprobs[] = [];
  readonly #logits: Float32Array[] = [];

  constructor(request: Owner, sequence: Sequence) {
    this.request = request;
    this.sequence = sequence;
    this.cumulativeLogprob = request.tracksLogprobs ? 0 : NaN;
  }

  get outputCount(): number {
    return this.sequence.outputCount - this.#stopCount;
  }

  /** Takes a sampled token. @returns why the sequence ends with it; undefined when it goes on */
  accept(output: StepOutput, logit: number): FinishReason | undefined {
    const { request, sequence } = this;
    const tokenId = output.tokenIds[logit]!;
    if (request.tracksLogprobs) this.cumulativeLogprob += output.logprobs[logit]!;
    if (request.tokens.endIds.includes(tokenId)) return 'stop';
    sequence.append(tokenId);
    if (!request.isPlain) this.#keepDetails(output, logit);
    if (!request.stopLists.isEmpty) {
      const { promptCount, knownCount, tokens } = sequence;
      this.#stopCount = request.stopLists.matchedCount(tokens, promptCount, knownCount);
      if (this.#stopCount > 0) return 'stop_word';
    }
    this.constraint?.accept(tokenId);
    if (this.constraint?.isComplete) return 'stop';
    return sequence.knownCount === sequence.maxTokens ? 'length' : undefined;
  }

  /** Emits new tokens, except those that may begin a stop list. */
  emitCertain(timeMs: number): void {
    const { request, sequence } = this;
    const { promptCount, knownCount, tokens } = sequence;
    const heldCount = request.stopLists.isEmpty
      ? 0
      : request.stopLists.heldCount(tokens, promptCount, knownCount);
    this.#emitUpTo(sequence.outputCount - heldCount, request.streams ? sequence.index : -1, timeMs);
  }

  /** Emits what is left, then the whole sequence under the number `sequence`. */
  emitEnd(sequence: number, timeMs: number): void {
    this.#emitUpTo(this.outputCount, sequence, timeMs);
    this.request.sink.event(this.#endEvent(sequence));
  }

  #endEvent(sequence: number): SequenceEvent {
    const { tokens, promptCount } = this.sequence;
    return {
      type: 'sequence',
      id: this.request.tokens.id,
      sequence,
      finishReason: this.finishReason!,
      tokenIds: Array.from(tokens.subarray(promptCount, promptCount + this.outputCount)),
      cumulativeLogprob: this.cumulativeLogprob,
    };
  }

  #keepDetails(output: StepOutput, logit: number): void {
    const { sampling, returnGenerationLogits } = this.request.tokens;
    if (sampling.logprobs !== undefined) this.#logprobs.push(logprobsAt(output, logit, sampling.logprobs));
    if (returnGenerationLogits) this.#logits.push(logitsAt(output, logit));
  }

  #emitUpTo(count: number, sequence: number, timeMs: number): void {
    if (sequence < 0 || count <= this.#emittedCount) return;
    const { request } = this;
    const start = this.sequence.promptCount + this.#emittedCount;
    const newCount = count - this.#emittedCount;
    this.#emittedCount = count;
    if (request.isPlain && newCount === 1) {
      request.sink.token(sequence, this.sequence.tokens[start]!, timeMs);
      return;
    }
    const { sampling, returnGenerationLogits, id } = request.tokens;
    request.sink.event({
      type: 'token',
      id,
      sequence,
      tokenIds: Array.from(this.sequence.tokens.subarray(start, start + newCount)),
      logprobs: sampling.logprobs === undefined ? undefined : this.#logprobs.splice(0, newCount),
      logits: returnGenerationLogits ? joinLogits(this.#logits.splice(0, newCount)) : undefined,
      timeMs,
    });
  }
}
