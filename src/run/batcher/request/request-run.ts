import { type ErrorReport } from '../../../core/errors.js';
import type { FinishReason, RequestTimings, TokenRequest, Usage } from '../../../core/request.js';
import { dependsOnOutput, GREEDY_FILTERS, type SamplingParams } from '../../../core/sampling.js';
import { SequenceGroup } from '../../scheduler/sequence.js';
import { BeamRun } from './beam-run.js';
import { BeamSearch } from './beam-search.js';
import type { ConstraintRun } from './constraint-run.js';
import { requestWidth } from './check-request.js';
import { PromptScores } from './prompt-scores.js';
import type { RequestSink } from './request-sink.js';
import { type SequenceOwner, SequenceRun } from './sequence-run.js';
import { StopLists } from './stop-lists.js';

/** Odd constant of the golden ratio: seeds of continuations lie far apart. */
const SEED_STRIDE = 0x9e3779b97f4a7c15n;

/** A sequence's output side with its request. */
export type RequestSequence = SequenceRun<RequestRun>;

/** An accepted request: its sequences, where its events go, and when what happened. */
export class RequestRun implements SequenceOwner {
  readonly tokens: TokenRequest;
  readonly sink: RequestSink;
  readonly group: SequenceGroup;
  readonly sequences: readonly RequestSequence[];
  readonly stopLists: StopLists;
  readonly promptScores: PromptScores | undefined;
  readonly beams: BeamSearch | undefined;
  readonly beamRun: BeamRun | undefined;
  /** True if tokens are emitted as they are sampled. Beams and `bestOf` emit only their best sequences, at the end. */
  readonly streams: boolean;
  /** True if log probabilities are wanted, by the client or to choose the best sequences. */
  readonly tracksLogprobs: boolean;
  /** True if token events hold nothing but tokens. */
  readonly isPlain: boolean;
  readonly submittedMs: number;
  scheduledMs: number | undefined;
  firstTokenMs: number | undefined;
  isOver = false;

  /** @param constraint state of the request's constraint before the first token */
  constructor(request: TokenRequest, sink: RequestSink, nowMs: number, constraint?: ConstraintRun) {
    const { sampling, beam, stopTokenLists } = request;
    this.tokens = request;
    this.sink = sink;
    this.submittedMs = nowMs;
    this.streams = beam === undefined && request.bestOf === request.sequenceCount;
    this.tracksLogprobs = sampling.logprobs !== undefined || !this.streams;
    this.isPlain = sampling.logprobs === undefined && !request.returnGenerationLogits;
    // Beams end as in transformers, whose least number of tokens holds off end ids only.
    this.stopLists = new StopLists(stopTokenLists, beam === undefined ? sampling.minTokens : 0);
    const scoresPrompt = sampling.promptLogprobs !== undefined || request.returnContextLogits;
    this.promptScores = scoresPrompt ? new PromptScores(request) : undefined;
    this.group = new SequenceGroup({
      id: request.id,
      promptTokenIds: request.promptTokenIds,
      maxOutputTokens: request.maxOutputTokens,
      width: requestWidth(request),
      isBeamSearch: beam !== undefined,
      scoresPrompt,
      cacheSalt: request.cacheSalt,
      priority: request.priority,
      submittedMs: nowMs,
      startBeforeMs: nowMs + (request.queueTimeoutMs ?? Infinity),
      endBeforeMs: nowMs + (request.deadlineMs ?? Infinity),
    });
    this.sequences = this.group.sequences.map((sequence) => new SequenceRun(this, sequence));
    for (const sequence of this.sequences) sequence.constraint = constraint?.fork();
    this.beams = beam === undefined ? undefined : new BeamSearch(request, beam, this.stopLists);
    this.beamRun = this.beams && new BeamRun(this.beams, this.group, this.sequences);
  }

  /** Parameters with which the device samples continuation `index`. */
  samplingOf(index: number): SamplingParams {
    const { sampling } = this.tokens;
    // Beams are chosen on the host, from the tokens that the device scores highest.
    if (this.beams !== undefined)
      return { ...sampling, ...GREEDY_FILTERS, logprobs: this.beams.candidateCount };
    const seed = BigInt.asUintN(64, sampling.seed + BigInt(index) * SEED_STRIDE);
    return { ...sampling, seed, logprobs: this.tracksLogprobs ? (sampling.logprobs ?? 0) : undefined };
  }

  /** True if the device needs the beams' true histories, because the scores of the next tokens depend on them. */
  get beamsNeedHistory(): boolean {
    return this.beams !== undefined && dependsOnOutput(this.tokens.sampling);
  }

  /** One sequence has ended. @returns true when it was the last */
  endSequence(run: RequestSequence, reason: FinishReason, timeMs: number): boolean {
    run.finishReason = reason;
    if (this.streams) run.emitEnd(run.sequence.index, timeMs);
    return this.sequences.every((other) => other.finishReason !== undefined);
  }

  /** Emits the best sequences, unless they were streamed, and the terminal event. All sequences have ended before. */
  finish(timeMs: number): void {
    if (this.isOver) return;
    this.isOver = true;
    if (!this.streams && this.beams === undefined)
      for (const [rank, run] of this.#bestSequences().entries()) run.emitEnd(rank, timeMs);
    this.beams?.emitBest(this.sink);
    this.sink.event({
      type: 'finished',
      id: this.tokens.id,
      usage: this.#usage(),
      timings: this.#timings(timeMs),
    });
  }

  /** Ends the request early. Sequences that were streamed are closed with the reason that belongs to `error`. */
  fail(error: ErrorReport, timeMs: number): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.streams && this.scheduledMs !== undefined)
      for (const run of this.sequences)
        if (run.finishReason === undefined) this.endSequence(run, reasonOf(error), timeMs);
    this.sink.event({
      type: 'failed',
      id: this.tokens.id,
      error,
      usage: this.#usage(),
      timings: this.#timings(timeMs),
    });
  }

  #bestSequences(): readonly RequestSequence[] {
    return this.sequences
      .toSorted((a, b) => b.cumulativeLogprob - a.cumulativeLogprob)
      .slice(0, this.tokens.sequenceCount);
  }

  #usage(): Usage {
    const { taken, evicted, reused } = this.group.blocks;
    const generated = this.sequences.reduce((sum, run) => sum + run.outputCount, 0);
    return {
      promptTokens: this.tokens.promptTokenIds.length,
      cachedPromptTokens: this.group.cachedPromptTokens,
      outputTokens: this.beams?.outputTokenCount ?? generated,
      kvBlocks: { taken, fresh: taken - evicted, reused },
    };
  }

  #timings(finishedMs: number): RequestTimings {
    return {
      submittedMs: this.submittedMs,
      scheduledMs: this.scheduledMs,
      firstTokenMs: this.firstTokenMs,
      finishedMs,
    };
  }
}

function reasonOf({ code }: ErrorReport): FinishReason {
  if (code === 'CANCELLED') return 'cancelled';
  return code === 'DEADLINE_EXCEEDED' ? 'deadline' : 'error';
}
