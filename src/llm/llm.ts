/// <reference lib="esnext.disposable" preserve="true" />
/** The Node API: load an engine, generate text. */
import { type Durations, durationsOf } from '../core/durations.js';
import { AloftError, reportError } from '../core/errors.js';
import type {
  EmbeddingRequest,
  GenerateEvent,
  GenerateFailedEvent,
  GenerateRequest,
  Generator,
  ModelCard,
} from '../core/generate.js';
import type { FinishReason, RequestTimings, Usage } from '../core/request.js';
import type { TokenBatcher } from '../core/token-batcher.js';
import type { EngineManifest } from '../engine/manifest.js';
import type { ExecutorLimits, MemoryBudget } from '../run/executor/executor.js';
import type { Tokenizer } from '../text/tokenizer/tokenizer.js';
import {
  type ChatMessageInput,
  type GenerateInput,
  type PromptInput,
  type RequestOptions,
  checkSignal,
  requestOf,
} from './input.js';
import { type LoadedEngine, loadEngine } from './load.js';
import { checkLoadArguments } from './load-input.js';
import type { LoadOptions } from './load-options.js';
import { Session, type SessionOptions } from './session.js';

export type {
  ChatMessageInput,
  ChatPromptInput,
  GenerateInput,
  PromptInput,
  RequestOptions,
  TextPart,
  TextPromptInput,
} from './input.js';
export type { LoadOptions, LoadProgress } from './load-options.js';
export { Session, type SessionOptions } from './session.js';

/** The whole answer to one request. */
export interface Completion {
  /** Text of the first (or only) sequence. */
  readonly text: string;
  /** Cause of its end. */
  readonly finishReason: FinishReason;
  /** Every sequence that was asked for, in their order. */
  readonly sequences: readonly CompletedSequence[];
  /** Counts of tokens, and of blocks of the KV cache. */
  readonly usage: Usage;
  /** Moments on the engine's clock; durations are easier to read. */
  readonly timings: RequestTimings;
  /** Times since the request was made. */
  readonly durations: Durations;
}

/** One continuation of a prompt. */
export interface CompletedSequence {
  /** Its text, without the stop string. */
  readonly text: string;
  /** Tokens that were generated. */
  readonly tokenIds: readonly number[];
  /** Cause of its end. */
  readonly finishReason: FinishReason;
}

/** Options of an embedding. */
export interface EmbedOptions extends EmbeddingRequest {
  /** Ends the request. */
  readonly signal?: AbortSignal;
}

/** A text as a vector. */
export interface Embedding {
  /** [dimensions] f32 */
  readonly values: Float32Array;
  /** Counts of tokens. */
  readonly usage: Usage;
}

/**
 * A loaded engine.
 *
 * ```ts
 * await using llm = await LLM.load('./engine');
 * for await (const event of llm.generate({ prompt: 'Once upon a time', maxOutputTokens: 64 })) {
 *   if (event.type === 'text') process.stdout.write(event.text);
 * }
 * ```
 *
 * Requests run in flight: call `generate` as often as you like at the same time. Leaving the loop early, or aborting the
 * signal, cancels a request within one step.
 */
export class LLM implements Generator {
  readonly #engine: LoadedEngine;

  private constructor(engine: LoadedEngine) {
    this.#engine = engine;
  }

  /**
   * Maps the engine, starts its thread and allocates the KV cache. `options.signal` ends it.
   * @throws {AloftError} USAGE for a wrong argument, CANCELLED, ENGINE_NOT_FOUND, ENGINE_VERSION, ENGINE_DEVICE, ENGINE_CORRUPT, WORLD_SIZE_MISMATCH, OUT_OF_MEMORY
   */
  static async load(engineDirectory: string, options: LoadOptions = {}): Promise<LLM> {
    checkLoadArguments(engineDirectory, options);
    return new LLM(await loadEngine(engineDirectory, options));
  }

  /** Name, limits and abilities. */
  get model(): ModelCard {
    return this.#engine.text.model;
  }

  /**
   * The engine's config.json.
   * @internal
   */
  get manifest(): EngineManifest {
    return this.#engine.manifest;
  }

  /**
   * Use of the device's memory, bytes.
   * @internal
   */
  get memory(): MemoryBudget {
    return this.#engine.batcher.facts.memory;
  }

  /**
   * Limits of one step.
   * @internal
   */
  get limits(): ExecutorLimits {
    return this.#engine.batcher.facts.executorLimits;
  }

  /**
   * Below the text: token requests, for benchmarks and protocols that speak tokens.
   * @internal
   */
  get batcher(): TokenBatcher {
    return this.#engine.batcher;
  }

  /** Encodes texts and decodes tokens as the model does. */
  get tokenizer(): Tokenizer {
    return this.#engine.tokenizer;
  }

  /** The id that pads sequences to one length: the tokenizer's, else the first end id. */
  get padId(): number {
    return this.#engine.tokenizer.padId ?? this.#engine.defaults.endIds[0] ?? 0;
  }

  /** Streams the events of one request; exactly one `finished` or `failed` comes last. */
  generate(input: GenerateInput | GenerateRequest, signal?: AbortSignal): AsyncIterable<GenerateEvent> {
    let request: GenerateRequest;
    try {
      request = requestOf(input);
      checkSignal(signal);
    } catch (fault) {
      return failedAtOnce(fault);
    }
    return this.#engine.text.generate(request, signal);
  }

  /**
   * Streams the text alone of one sequence.
   * @throws {AloftError} with the request's own code when it failed
   */
  async *stream(
    input: GenerateInput | GenerateRequest,
    signal?: AbortSignal,
  ): AsyncGenerator<string, void, void> {
    for await (const event of this.generate(input, signal)) {
      if (event.type === 'text' && event.sequence === 0 && event.text !== '') yield event.text;
      else if (event.type === 'failed') throw thrownOf(event, signal);
    }
  }

  /** Begins a conversation that keeps its history. Several may run at the same time. */
  session(options: SessionOptions = {}): Session {
    return new Session(this, options);
  }

  /** Streams the assistant's answer to a conversation, through the model's chat template. */
  chat(
    messages: readonly ChatMessageInput[],
    options: RequestOptions = {},
    signal?: AbortSignal,
  ): AsyncIterable<GenerateEvent> {
    return this.generate({ ...options, prompt: { type: 'chat', messages } }, signal);
  }

  /**
   * Waits for the whole answer.
   * @throws {AloftError} with the request's own code when it failed; its `cause` is the signal's reason when that ended it
   */
  async complete(input: GenerateInput, signal?: AbortSignal): Promise<Completion> {
    const sequences: Extract<GenerateEvent, { type: 'sequence' }>[] = [];
    for await (const event of this.generate(input, signal)) {
      if (event.type === 'sequence') sequences.push(event);
      else if (event.type === 'failed') throw thrownOf(event, signal);
      else if (event.type === 'finished') {
        const [first] = sequences.toSorted((a, b) => a.sequence - b.sequence);
        if (first === undefined) break;
        return {
          text: first.text,
          finishReason: first.finishReason,
          sequences,
          usage: event.usage,
          timings: event.timings,
          durations: durationsOf(event.timings),
        };
      }
    }
    throw new AloftError('INTERNAL', 'a request ended without a sequence');
  }

  /**
   * The embedding of a text, or of a prompt in another form, by an engine that was built with `--task embed`. Call it as often as you like
   * at the same time.
   * @throws {AloftError} REQUEST_INVALID where the engine generates text, PROMPT_TOO_LONG, and the request's own codes
   */
  async embed(input: string | PromptInput, { signal, ...embedding }: EmbedOptions = {}): Promise<Embedding> {
    let values: Float32Array | undefined;
    for await (const event of this.generate({ prompt: input, embedding }, signal)) {
      if (event.type === 'prompt') values = event.embedding;
      else if (event.type === 'failed') throw thrownOf(event, signal);
      else if (event.type === 'finished' && values !== undefined) return { values, usage: event.usage };
    }
    throw new AloftError('INTERNAL', 'a request ended without an embedding');
  }

  /** Ends running requests with CANCELLED, stops the engine's thread and frees its memory. */
  async close(): Promise<void> {
    await this.#engine.batcher.close();
  }

  /** The same as `close`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function thrownOf({ error }: GenerateFailedEvent, signal: AbortSignal | undefined): AloftError {
  const isOurs = error.code === 'CANCELLED' && signal?.aborted === true;
  return new AloftError(error.code, error.message, isOurs ? { cause: signal.reason } : undefined);
}

/** The stream of a request that is refused before it comes to the engine. */
async function* failedAtOnce(fault: unknown): AsyncGenerator<GenerateEvent, void, void> {
  const nowMs = performance.now();
  yield {
    type: 'failed',
    error: reportError(fault),
    usage: { promptTokens: 0, cachedPromptTokens: 0, outputTokens: 0 },
    timings: { submittedMs: nowMs, scheduledMs: undefined, firstTokenMs: undefined, finishedMs: nowMs },
  };
}
