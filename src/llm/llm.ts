/// <reference lib="esnext.disposable" preserve="true" />
/** The Node API: load an engine, generate text. */
import type {
  ChatMessage,
  EmbeddingRequest,
  GenerateEvent,
  GenerateRequest,
  Generator,
  ModelCard,
  Prompt,
} from '../core/generate.js';
import type { FinishReason, RequestTimings, Usage } from '../core/request.js';
import { AloftError } from '../core/errors.js';
import type { TokenBatcher } from '../core/token-batcher.js';
import type { EngineManifest } from '../engine/manifest.js';
import type { ExecutorLimits, MemoryBudget } from '../run/executor/executor.js';
import type { Tokenizer } from '../text/tokenizer/tokenizer.js';
import { type LoadedEngine, loadEngine } from './load.js';
import type { LoadOptions } from './load-options.js';

export type { LoadOptions } from './load-options.js';

/** A request as programs write it: a text is continued as it is, with the tokenizer's begin token before it. */
export type GenerateInput = string | (Omit<GenerateRequest, 'prompt'> & { readonly prompt: string | Prompt });

/** The whole answer to one request. */
export interface Completion {
  /** Text of the first (or only) sequence. */
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly sequences: readonly {
    readonly text: string;
    readonly tokenIds: readonly number[];
    readonly finishReason: FinishReason;
  }[];
  readonly usage: Usage;
  readonly timings: RequestTimings;
}

export interface EmbedOptions extends EmbeddingRequest {
  readonly signal?: AbortSignal;
}

export interface Embedding {
  /** [dimensions] f32 */
  readonly values: Float32Array;
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
   * Maps the engine, starts its thread and allocates the KV cache.
   * @throws {AloftError} ENGINE_NOT_FOUND, ENGINE_VERSION, ENGINE_DEVICE, ENGINE_CORRUPT, WORLD_SIZE_MISMATCH, OUT_OF_MEMORY
   */
  static async load(engineDirectory: string, options: LoadOptions = {}): Promise<LLM> {
    return new LLM(await loadEngine(engineDirectory, options));
  }

  get model(): ModelCard {
    return this.#engine.text.model;
  }

  get manifest(): EngineManifest {
    return this.#engine.manifest;
  }

  /** Use of the device's memory, bytes. */
  get memory(): MemoryBudget {
    return this.#engine.batcher.facts.memory;
  }

  /** Limits of one step. */
  get limits(): ExecutorLimits {
    return this.#engine.batcher.facts.executorLimits;
  }

  /** Below the text: token requests, for benchmarks and protocols that speak tokens. */
  get batcher(): TokenBatcher {
    return this.#engine.batcher;
  }

  get tokenizer(): Tokenizer {
    return this.#engine.tokenizer;
  }

  /** The id that pads sequences to one length: the tokenizer's, else the first end id. */
  get padId(): number {
    return this.#engine.tokenizer.padId ?? this.#engine.defaults.endIds[0] ?? 0;
  }

  /** Streams the events of one request; exactly one `finished` or `failed` comes last. */
  generate(input: GenerateInput | GenerateRequest, signal?: AbortSignal): AsyncIterable<GenerateEvent> {
    return this.#engine.text.generate(toRequest(input), signal);
  }

  /** Streams the assistant's answer to a conversation, through the model's chat template. */
  chat(
    messages: readonly ChatMessage[],
    options: Omit<GenerateRequest, 'prompt'> = {},
    signal?: AbortSignal,
  ): AsyncIterable<GenerateEvent> {
    return this.generate({ ...options, prompt: { type: 'chat', messages, templateArguments: {} } }, signal);
  }

  /** Waits for the whole answer. @throws {AloftError} with the request's own code when it failed */
  async complete(input: GenerateInput, signal?: AbortSignal): Promise<Completion> {
    const sequences: Extract<GenerateEvent, { type: 'sequence' }>[] = [];
    for await (const event of this.generate(input, signal)) {
      if (event.type === 'sequence') sequences.push(event);
      else if (event.type === 'failed') throw new AloftError(event.error.code, event.error.message);
      else if (event.type === 'finished') {
        const [first] = sequences.toSorted((a, b) => a.sequence - b.sequence);
        if (first === undefined) break;
        return {
          text: first.text,
          finishReason: first.finishReason,
          sequences,
          usage: event.usage,
          timings: event.timings,
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
  async embed(input: string | Prompt, { signal, ...embedding }: EmbedOptions = {}): Promise<Embedding> {
    const prompt = typeof input === 'string' ? textPrompt(input) : input;
    let values: Float32Array | undefined;
    for await (const event of this.generate({ prompt, embedding }, signal)) {
      if (event.type === 'prompt') values = event.embedding;
      else if (event.type === 'failed') throw new AloftError(event.error.code, event.error.message);
      else if (event.type === 'finished' && values !== undefined) return { values, usage: event.usage };
    }
    throw new AloftError('INTERNAL', 'a request ended without an embedding');
  }

  /** Ends running requests with CANCELLED, stops the engine's thread and frees its memory. */
  async close(): Promise<void> {
    await this.#engine.batcher.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const textPrompt = (text: string): Prompt => ({ type: 'text', text, addSpecialTokens: true });

function toRequest(input: GenerateInput | GenerateRequest): GenerateRequest {
  if (typeof input === 'string') return { prompt: textPrompt(input) };
  if (typeof input.prompt !== 'string') return { ...input, prompt: input.prompt };
  return { ...input, prompt: textPrompt(input.prompt) };
}
