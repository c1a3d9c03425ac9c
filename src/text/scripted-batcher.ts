/** A batcher for tests: generates given tokens, one step at a time, and keeps the contract of TokenBatcher. */
import type { RequestId } from '../core/ids.js';
import type { BatcherEvent, FinishReason, RequestTimings, TokenRequest } from '../core/request.js';
import type { TokenBatcher, TokenLimits } from '../core/token-batcher.js';

export interface Script {
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
  /** Tokens given out, per sequence. */
  readonly given: number[];
}

const TIMINGS: RequestTimings = { submittedMs: 1, scheduledMs: 2, firstTokenMs: 3, finishedMs: 4 };

export class ScriptedBatcher implements TokenBatcher {
  readonly limits: TokenLimits;
  readonly submitted: TokenRequest[] = [];
  readonly cancelled: RequestId[] = [];
  stepCount = 0;
  readonly #script: Script;
  readonly #running = new Map<RequestId, Running>();

  constructor(script: Script, limits: Partial<TokenLimits> = {}) {
    this.#script = script;
    const all = { vocabulary: 1000, maxInputTokens: 512, maxOutputTokens: 512, maxSequenceTokens: 1024 };
    this.limits = { ...all, maxSequenceCount: 8, maxBeamWidth: 8, maxTopLogprobs: 5, ...limits };
  }

  get runningCount(): number {
    return this.#running.size;
  }

  submit(request: TokenRequest, onEvent: (event: BatcherEvent) => void): void {
    this.submitted.push(request);
    const given = Array.from({ length: request.sequenceCount }, () => 0);
    this.#running.set(request.id, { request, onEvent, given });
  }

  cancel(id: RequestId): void {
    this.cancelled.push(id);
  }

  /** Ends cancelled requests, then gives the next tokens of all others. */
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
    for (const [sequence, given] of running.given.entries()) this.#advanceSequence(running, sequence, given);
    const isOver = running.given.every((given) => given === Infinity);
    if (!isOver || !this.#running.delete(id)) return;
    running.onEvent({ type: 'finished', id, usage: this.#usage(running), timings: TIMINGS });
  }

  #advanceSequence({ request, onEvent, given }: Running, sequence: number, start: number): void {
    const { id } = request;
    const { sequences, eventTokens = 1, isSilent = false, finishReason = 'stop' } = this.#script;
    const all = sequences[sequence] ?? [];
    if (start === Infinity) return;
    const tokenIds = all.slice(start, start + eventTokens);
    if (tokenIds.length > 0 && !isSilent) {
      const logprobs = request.sampling.logprobs === undefined ? undefined : tokenIds.map(scriptedLogprobs);
      const logits = request.returnGenerationLogits
        ? Float32Array.from(tokenIds.flatMap((id) => [id, -id]))
        : undefined;
      onEvent({ type: 'token', id, sequence, tokenIds, logprobs, logits, timeMs: this.stepCount });
    }
    const end = start + tokenIds.length;
    given[sequence] = end;
    if (end < all.length) return;
    given[sequence] = Infinity;
    onEvent({ type: 'sequence', id, sequence, finishReason, tokenIds: all, cumulativeLogprob: -all.length });
  }

  #fail(running: Running): void {
    const { id } = running.request;
    this.#running.delete(id);
    const error = { code: 'CANCELLED', message: 'The client cancelled the request.' } as const;
    running.onEvent({ type: 'failed', id, error, usage: this.#usage(running), timings: TIMINGS });
  }

  #usage({ request, given }: Running) {
    const outputTokens = given.reduce(
      (sum, count, i) => sum + (count === Infinity ? (this.#script.sequences[i]?.length ?? 0) : count),
      0,
    );
    return { promptTokens: request.promptTokenIds.length, cachedPromptTokens: 0, outputTokens };
  }
}

const scriptedLogprobs = (tokenId: number) => ({ tokenId, logprob: -0.5, top: [{ tokenId, logprob: -0.5 }] });

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
