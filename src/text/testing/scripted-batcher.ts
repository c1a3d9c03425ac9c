/** A batcher for tests: generates given tokens, one step at a time, and keeps the contract of TokenBatcher. */
import type { RequestId } from '../../core/ids.js';
import type { BatcherEvent, FinishReason, RequestTimings, TokenRequest } from '../../core/request.js';
import type { TokenBatcher, TokenLimits } from '../../core/token-batcher.js';

export interface BatcherScript {
  /** Output tokens of each sequence. */
  readonly sequences: readonly (readonly number[])[];
  /** Tokens per event. Default 1. */
  readonly eventTokens?: number;
  /** No token events, only results, as for beams. */
  readonly isSilent?: boolean;
  readonly finishReason?: FinishReason;
}

interface Running {
  readonly request: TokenRequest;
  readonly onEvent: (event: BatcherEvent) => void;
  readonly sequences: readonly RunningSequence[];
}

interface RunningSequence {
  /** Tokens given out. */
  givenCount: number;
  isOver: boolean;
  /** The submitter has ended it: the next step gives its result instead of tokens. */
  isEnded: boolean;
}

const TIMINGS: RequestTimings = { submittedMs: 1, scheduledMs: 2, firstTokenMs: 3, finishedMs: 4 };

export class ScriptedBatcher implements TokenBatcher {
  readonly limits: TokenLimits;
  readonly submitted: TokenRequest[] = [];
  readonly cancelled: RequestId[] = [];
  /** Sequences that the submitter has ended. */
  readonly ended: { readonly id: RequestId; readonly sequence: number }[] = [];
  stepCount = 0;
  readonly #script: BatcherScript;
  readonly #running = new Map<RequestId, Running>();

  constructor(script: BatcherScript, limits: Partial<TokenLimits> = {}) {
    this.#script = script;
    const all = { vocabulary: 1000, maxInputTokens: 512, maxOutputTokens: 512, maxSequenceTokens: 1024 };
    this.limits = { ...all, maxSequenceCount: 8, maxBeamWidth: 8, maxTopLogprobs: 5, ...limits };
  }

  get runningCount(): number {
    return this.#running.size;
  }

  submit(request: TokenRequest, onEvent: (event: BatcherEvent) => void): void {
    this.submitted.push(request);
    const sequences = Array.from({ length: request.sequenceCount }, () => ({
      givenCount: 0,
      isOver: false,
      isEnded: false,
    }));
    this.#running.set(request.id, { request, onEvent, sequences });
  }

  cancel(id: RequestId): void {
    this.cancelled.push(id);
  }

  endSequence(id: RequestId, sequence: number): void {
    this.ended.push({ id, sequence });
    const running = this.#running.get(id)?.sequences[sequence];
    if (running !== undefined && this.#script.isSilent !== true) running.isEnded = true;
  }

  /** Ends cancelled requests and ended sequences, then gives the next tokens of all others. */
  step(): void {
    this.stepCount++;
    for (const running of this.#running.values()) {
      if (this.cancelled.includes(running.request.id)) this.#fail(running);
      else this.#advance(running);
    }
  }

  /** Steps until nothing runs, giving readers a turn after each `stepsPerTurn` steps. */
  async drain(stepsPerTurn = 1): Promise<void> {
    // The request is submitted once its prompt is encoded, which happens outside the event loop.
    while (this.submitted.length === 0) await nextTurn();
    while (this.#running.size > 0) {
      for (let i = 0; i < stepsPerTurn; i++) this.step();
      await nextTurn();
    }
  }

  #advance(running: Running): void {
    const { id } = running.request;
    for (const sequence of running.sequences.keys()) this.#advanceSequence(running, sequence);
    const isOver = running.sequences.every((sequence) => sequence.isOver);
    if (!isOver || !this.#running.delete(id)) return;
    running.onEvent({ type: 'finished', id, usage: usageOf(running), timings: TIMINGS });
  }

  #advanceSequence(running: Running, index: number): void {
    const { eventTokens = 1, finishReason = 'stop' } = this.#script;
    const all = this.#script.sequences[index] ?? [];
    const sequence = running.sequences[index]!;
    if (sequence.isOver) return;
    const start = sequence.givenCount;
    if (!sequence.isEnded) {
      sequence.givenCount = Math.min(start + eventTokens, all.length);
      this.#giveTokens(running, index, all.slice(start, sequence.givenCount));
      if (sequence.givenCount < all.length) return;
    }
    sequence.isOver = true;
    running.onEvent({
      type: 'sequence',
      id: running.request.id,
      sequence: index,
      finishReason: sequence.givenCount < all.length ? 'stop_word' : finishReason,
      tokenIds: all.slice(0, sequence.givenCount),
      cumulativeLogprob: -sequence.givenCount,
    });
  }

  #giveTokens({ request, onEvent }: Running, sequence: number, tokenIds: readonly number[]): void {
    if (tokenIds.length === 0 || this.#script.isSilent === true) return;
    const { id } = request;
    const logprobs = request.sampling.logprobs === undefined ? undefined : tokenIds.map(scriptedLogprobs);
    const logits = request.returnGenerationLogits
      ? Float32Array.from(tokenIds.flatMap((token) => [token, -token]))
      : undefined;
    onEvent({ type: 'token', id, sequence, tokenIds, logprobs, logits, timeMs: this.stepCount });
  }

  #fail(running: Running): void {
    const { id } = running.request;
    this.#running.delete(id);
    const error = { code: 'CANCELLED', message: 'The client cancelled the request.' } as const;
    running.onEvent({ type: 'failed', id, error, usage: usageOf(running), timings: TIMINGS });
  }
}

function usageOf({ request, sequences }: Running) {
  const outputTokens = sequences.reduce((sum, { givenCount }) => sum + givenCount, 0);
  return { promptTokens: request.promptTokenIds.length, cachedPromptTokens: 0, outputTokens };
}

const scriptedLogprobs = (tokenId: number) => ({ tokenId, logprob: -0.5, top: [{ tokenId, logprob: -0.5 }] });

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
