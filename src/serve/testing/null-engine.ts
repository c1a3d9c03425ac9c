/**
 * An engine that computes nothing: every request gets a token at each step, at any rate. Text is made of the tokens as
 * for a real engine, by the demo model's tokenizer. Shows what the server itself costs.
 */
import type { BatcherEvent, FinishReason, TokenRequest } from '../../core/request.js';
import type { TokenBatcher, TokenLimits } from '../../core/token-batcher.js';
import { loadGenerationDefaults } from '../../text/generation-config.js';
import { TextGenerator } from '../../text/generator.js';
import { loadTokenizer } from '../../text/tokenizer/load.js';
import type { ServableEngine, EngineLoader } from '../engine/engine-loader.js';

interface Running {
  readonly request: TokenRequest;
  readonly onEvent: (event: BatcherEvent) => void;
  readonly submittedMs: number;
  readonly tokenIds: number[];
}

const TICK_MS = 1;
const MAX_TOKENS = 1 << 20;

class NullBatcher implements TokenBatcher {
  readonly limits: TokenLimits = {
    vocabulary: MAX_TOKENS,
    maxInputTokens: MAX_TOKENS,
    maxOutputTokens: MAX_TOKENS,
    maxSequenceTokens: MAX_TOKENS,
    maxSequenceCount: 1,
    maxBeamWidth: 1,
    maxTopLogprobs: 0,
  };
  readonly #running = new Map<string, Running>();
  readonly #timer: NodeJS.Timeout;
  readonly #tokenId: number;
  #dueSteps = 0;
  #lastMs = performance.now();

  /** @param tokenId all that it ever generates */
  constructor(stepsPerSecond: number, tokenId: number) {
    this.#tokenId = tokenId;
    this.#timer = setInterval(() => this.#tick(stepsPerSecond), TICK_MS);
  }

  submit(request: TokenRequest, onEvent: (event: BatcherEvent) => void): void {
    this.#running.set(request.id, { request, onEvent, submittedMs: performance.now(), tokenIds: [] });
  }

  cancel(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    const error = { code: 'CANCELLED', message: 'The request was cancelled.' } as const;
    this.#end(running, { type: 'failed', error });
  }

  endSequence(id: string): void {
    const running = this.#running.get(id);
    if (running !== undefined) this.#finish(running, 'stop_word');
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Makes up for the steps that a late timer has missed, as an engine in a thread of its own would have run them. */
  #tick(stepsPerSecond: number): void {
    const nowMs = performance.now();
    this.#dueSteps += ((nowMs - this.#lastMs) / 1000) * stepsPerSecond;
    this.#lastMs = nowMs;
    const stepCount = Math.floor(this.#dueSteps);
    this.#dueSteps -= stepCount;
    for (let step = 0; step < stepCount; step++)
      for (const running of this.#running.values()) this.#advance(running, nowMs);
  }

  #advance(running: Running, timeMs: number): void {
    const { request, onEvent, tokenIds } = running;
    const { id } = request;
    tokenIds.push(this.#tokenId);
    onEvent({
      type: 'token',
      id,
      sequence: 0,
      tokenIds: [this.#tokenId],
      logprobs: undefined,
      logits: undefined,
      timeMs,
    });
    if (tokenIds.length >= request.maxOutputTokens) this.#finish(running, 'length');
  }

  #finish(running: Running, finishReason: FinishReason): void {
    const { request, onEvent, tokenIds } = running;
    const { id } = request;
    onEvent({ type: 'sequence', id, sequence: 0, finishReason, tokenIds, cumulativeLogprob: 0 });
    this.#end(running, { type: 'finished' });
  }

  #end(
    { request, onEvent, submittedMs, tokenIds }: Running,
    end: { type: 'finished' } | Pick<Extract<BatcherEvent, { type: 'failed' }>, 'type' | 'error'>,
  ): void {
    this.#running.delete(request.id);
    const promptTokens = request.promptTokenIds.length;
    onEvent({
      ...end,
      id: request.id,
      usage: { promptTokens, cachedPromptTokens: 0, outputTokens: tokenIds.length },
      timings: {
        submittedMs,
        scheduledMs: submittedMs,
        firstTokenMs: submittedMs,
        finishedMs: performance.now(),
      },
    });
  }
}

export interface NullLoader extends EngineLoader {
  /** Every output is this word, again and again. */
  readonly word: string;
  readonly tokenId: number;
}

/** @param tokenizerDirectory the demo model's: any with the word as one token would do */
export async function nullLoader(stepsPerSecond: number, tokenizerDirectory: string): Promise<NullLoader> {
  const word = 'water';
  const tokenizer = await loadTokenizer(tokenizerDirectory);
  const defaults = await loadGenerationDefaults(tokenizerDirectory, tokenizer);
  const [tokenId, ...rest] = await tokenizer.encode(word, { addSpecialTokens: false });
  if (tokenId === undefined || rest.length > 0) throw new Error(`'${word}' is not one token.`);
  const codec = {
    encode: (text: string, addSpecialTokens: boolean) => tokenizer.encode(text, { addSpecialTokens }),
    decode: (ids: readonly number[], skipSpecialTokens: boolean) =>
      tokenizer.decode(ids, { skipSpecialTokens }),
    endId: tokenizer.eosId,
    padId: tokenizer.padId,
  };
  const load = async (): Promise<ServableEngine> => {
    const batcher = new NullBatcher(stepsPerSecond, tokenId);
    const model = {
      name: 'null',
      vocabulary: MAX_TOKENS,
      maxInputTokens: MAX_TOKENS,
      maxOutputTokens: MAX_TOKENS,
      maxSequenceTokens: MAX_TOKENS,
      precision: 'none',
      hasChatTemplate: false,
    };
    return {
      generator: new TextGenerator({ model, batcher, tokenizer, chatTemplate: undefined, defaults }),
      codec,
      batchingType: 'inflight_fused_batching',
      maxSequenceCount: 100_000,
      blockTokens: 64,
      kvBlockCount: 0,
      takesAllProcessors: false,
      remarks: [],
      memory: [],
      subscribe: () => () => {},
      onFailure: () => {},
      heartbeatAgeMs: () => 0,
      dispose: async () => batcher.close(),
    };
  };
  return { word, tokenId, load, check: async () => undefined, loadTokenizer: async () => codec };
}
