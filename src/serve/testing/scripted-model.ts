/**
 * A deterministic stand-in for an engine: it answers what a script says, at the pace it is given, with a limited number
 * of slots and a queue. For tests of the server and for measuring the server's own share of the time.
 */
import { AloftError } from '../../core/errors.js';
import type {
  EventGenerator,
  GenerateEvent,
  GenerateRequest,
  ModelCard,
  TextLogprobs,
} from '../../core/generate.js';
import type { StepStats } from '../../core/batcher-stats.js';
import type { EngineSettings, ServableEngine, MemoryUse, EngineLoader } from '../engine/engine-loader.js';
import { BYTE_CODEC, byteIds, bytesOfToken } from './byte-codec.js';

export interface ModelScript {
  /** Text that continues a prompt; each of its UTF-8 bytes is one token. */
  readonly answer: (promptText: string, sequence: number) => string;
  /** Time before the first token and between tokens; 0 gives the event loop one turn. */
  readonly firstTokenMs: number;
  readonly tokenMs: number;
  readonly slotCount: number;
  readonly rankCount: number;
  readonly maxWaitingCount: number;
  /** Fails with this error after so many tokens. */
  readonly failAfter: { readonly tokenCount: number; readonly error: AloftError } | undefined;
  readonly maxInputTokens: number;
  /** Facts of the model that differ from those of others. */
  readonly card: Partial<ModelCard>;
  /** True if the answer to a prompt is repeated until it is cancelled, whatever its limit. */
  readonly isEndless: (promptText: string) => boolean;
}

/**
 * Asks for an answer without end. A test of a cancel or a stop needs it: an answer that may also end by itself shows
 * nothing on a machine that is fast enough, and is over too soon on one that is slow.
 */
export const ENDLESS_PROMPT = 'count to infinity';

const DEFAULT_SCRIPT: ModelScript = {
  answer: (prompt) => ` echo of ${prompt}`,
  firstTokenMs: 0,
  tokenMs: 0,
  slotCount: 8,
  rankCount: 1,
  maxWaitingCount: 64,
  failAfter: undefined,
  maxInputTokens: 4096,
  card: {},
  isEndless: (prompt) => prompt.includes(ENDLESS_PROMPT),
};

/** Memory of a rank on a GPU of its own. */
const memoryOf = (rank: number): readonly MemoryUse[] => [
  { purpose: 'weights', rank, kind: 'gpu', deviceId: 1 + rank, bytes: 2 ** 20 },
  { purpose: 'KV blocks', rank, kind: 'gpu', deviceId: 1 + rank, bytes: 2 ** 10 },
  { purpose: 'workspace', rank, kind: 'cpu', deviceId: 0, bytes: 0 },
  { purpose: 'host tier of KV blocks', rank, kind: 'pinned', deviceId: 0, bytes: 77 },
];

const CARD: ModelCard = {
  name: 'scripted',
  vocabulary: 259,
  maxInputTokens: 4096,
  maxOutputTokens: 4096,
  maxSequenceTokens: 8192,
  precision: 'float32',
  hasChatTemplate: true,
};

/** State that tests look at from outside. */
export class ScriptedModel implements ServableEngine {
  readonly generator: EventGenerator;
  readonly codec = BYTE_CODEC;
  readonly maxSequenceCount: number;
  readonly batchingType = 'inflight_fused_batching';
  readonly blockTokens = 64;
  readonly kvBlockCount = 100;
  readonly takesAllProcessors = false;
  readonly remarks = [];
  readonly memory: readonly MemoryUse[];
  /** Requests as they came, newest last. */
  readonly requests: GenerateRequest[] = [];
  isDead = false;
  isDisposed = false;
  runningCount = 0;
  readonly #script: ModelScript;
  readonly #waiting: (() => void)[] = [];
  readonly #listeners = new Set<(stats: StepStats) => void>();
  #stepId = 0;
  /** Tokens that may still be made, and who waits for more. */
  #allowance = Infinity;
  readonly #held: (() => void)[] = [];

  constructor(script: Partial<ModelScript>) {
    this.#script = { ...DEFAULT_SCRIPT, ...script };
    this.maxSequenceCount = this.#script.slotCount;
    this.memory = Array.from({ length: this.#script.rankCount }, (_, rank) => memoryOf(rank)).flat();
    this.generator = {
      model: { ...CARD, ...this.#script.card },
      start: (request, onEvent) => {
        const controller = new AbortController();
        void this.#deliver(request, controller.signal, onEvent);
        return () => controller.abort();
      },
      tokenize: (prompt) => promptIds({ prompt }),
    };
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  subscribe(listener: (stats: StepStats) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** From now on no token is made but so many, whoever asks for them: what comes first no longer depends on time. */
  hold(tokenCount = 0): void {
    this.#allowance = tokenCount;
  }

  /** So many more tokens may be made; default: all. */
  allow(tokenCount = Infinity): void {
    this.#allowance += tokenCount;
    for (const wake of this.#held.splice(0)) wake();
  }

  heartbeatAgeMs(): number {
    return this.isDead ? Infinity : 1;
  }

  onFailure(): void {}

  async dispose(): Promise<void> {
    this.isDisposed = true;
  }

  /** An iteration that ends without its last event was aborted. */
  async #deliver(
    request: GenerateRequest,
    signal: AbortSignal,
    onEvent: (event: GenerateEvent) => void,
  ): Promise<void> {
    let last: GenerateEvent | undefined;
    for await (const event of this.#generate(request, signal)) onEvent((last = event));
    if (last?.type === 'finished' || last?.type === 'failed') return;
    const error = { code: 'CANCELLED', message: 'The request was cancelled.' } as const;
    const usage = { promptTokens: 0, cachedPromptTokens: 0, outputTokens: 0 };
    const atMs = performance.now();
    onEvent({
      type: 'failed',
      error,
      usage,
      timings: { submittedMs: atMs, scheduledMs: undefined, firstTokenMs: undefined, finishedMs: atMs },
    });
  }

  async *#generate(
    request: GenerateRequest,
    signal?: AbortSignal,
  ): AsyncGenerator<GenerateEvent, void, void> {
    this.requests.push(request);
    const submittedMs = performance.now();
    const promptTokenIds = await promptIds(request);
    const failed = (code: 'PROMPT_TOO_LONG' | 'QUEUE_FULL', message: string): GenerateEvent => ({
      type: 'failed',
      error: { code, message },
      usage: { promptTokens: promptTokenIds.length, cachedPromptTokens: 0, outputTokens: 0 },
      timings: {
        submittedMs,
        scheduledMs: undefined,
        firstTokenMs: undefined,
        finishedMs: performance.now(),
      },
    });
    if (promptTokenIds.length > this.#script.maxInputTokens) {
      yield failed(
        'PROMPT_TOO_LONG',
        `Prompt length (${promptTokenIds.length}) exceeds maximum input length (${this.#script.maxInputTokens}).`,
      );
      return;
    }
    yield { type: 'started', id: request.id ?? 'made', promptTokenIds, seed: request.seed ?? 42n };
    if (this.runningCount >= this.#script.slotCount) {
      if (this.#waiting.length >= this.#script.maxWaitingCount) {
        yield failed('QUEUE_FULL', 'The waiting queue is full; retry later.');
        return;
      }
      await this.#turn(signal);
      if (signal?.aborted) {
        // The place may have been handed to this request just before it was cancelled.
        if (this.runningCount < this.#script.slotCount) this.#waiting.shift()?.();
        return;
      }
    }
    this.runningCount++;
    try {
      yield* this.#run(request, promptTokenIds, { signal, submittedMs });
    } finally {
      this.runningCount--;
      this.#waiting.shift()?.();
    }
  }

  async *#run(
    request: GenerateRequest,
    promptTokenIds: readonly number[],
    { signal, submittedMs }: { readonly signal: AbortSignal | undefined; readonly submittedMs: number },
  ): AsyncGenerator<GenerateEvent, void, void> {
    const scheduledMs = performance.now();
    const promptText = BYTE_CODEC.decode(promptTokenIds, true);
    const sequenceCount = request.sequenceCount ?? 1;
    const limit = request.maxOutputTokens ?? 64;
    let outputTokens = 0;
    let firstTokenMs: number | undefined;
    if (request.promptLogprobs !== undefined) {
      yield {
        type: 'prompt',
        logprobs: promptTokenIds.slice(1).map((id) => logprobOf(id, request.promptLogprobs ?? 0)),
        logits: undefined,
      };
    }
    const isEndless = this.#script.isEndless(promptText);
    const sequences = Array.from(
      { length: sequenceCount },
      (_, index) =>
        new ScriptedSequence(
          this.#script.answer(promptText, index),
          request,
          { limit, isEndless },
          promptText,
        ),
    );
    for (let step = 0; sequences.some((sequence) => !sequence.isDone); step++) {
      await pause(step === 0 ? this.#script.firstTokenMs : this.#script.tokenMs, signal);
      await this.#permission(signal);
      if (signal?.aborted) return;
      firstTokenMs ??= performance.now();
      this.#notifyStep(1);
      for (const [index, sequence] of sequences.entries()) {
        if (sequence.isDone) continue;
        yield sequence.next(index);
        outputTokens++;
        if (sequence.isDone) yield sequence.end(index);
        const { failAfter } = this.#script;
        if (failAfter === undefined || outputTokens < failAfter.tokenCount) continue;
        const { code, message } = failAfter.error;
        const usage = { promptTokens: promptTokenIds.length, cachedPromptTokens: 0, outputTokens };
        yield {
          type: 'failed',
          error: { code, message },
          usage,
          timings: { submittedMs, scheduledMs, firstTokenMs, finishedMs: performance.now() },
        };
        return;
      }
    }
    yield {
      type: 'finished',
      usage: { promptTokens: promptTokenIds.length, cachedPromptTokens: 0, outputTokens },
      timings: { submittedMs, scheduledMs, firstTokenMs, finishedMs: performance.now() },
    };
  }

  /** Waits for a slot, or until aborted. */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      signal?.addEventListener('abort', () => {
        const index = this.#waiting.indexOf(resolve);
        if (index >= 0) this.#waiting.splice(index, 1);
        resolve();
      });
    });
  }

  /** Waits until a token may be made, or until aborted. */
  async #permission(signal: AbortSignal | undefined): Promise<void> {
    while (this.#allowance < 1 && !signal?.aborted)
      await new Promise<void>((resolve) => {
        this.#held.push(resolve);
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
    if (!signal?.aborted) this.#allowance--;
  }

  #notifyStep(rowCount: number): void {
    if (this.#listeners.size === 0) return;
    const stats: StepStats = {
      type: 'step',
      stepId: ++this.#stepId,
      timeMs: performance.now(),
      decodeRowCount: rowCount,
      prefillRowCount: 0,
      tokenCount: rowCount,
      outputTokenCount: rowCount,
      waitingCount: this.#waiting.length,
      runningCount: this.runningCount,
      freeBlockCount: this.kvBlockCount - this.runningCount,
      cachedBlockCount: 0,
      totalBlockCount: this.kvBlockCount,
      hostMs: 0.1,
      deviceMs: 1,
      idleMs: 0,
      prefixHitTokens: 0,
      preemptionCount: 0,
      waitReason: this.#waiting.length > 0 ? 'slots' : undefined,
    };
    for (const listener of this.#listeners) listener(stats);
  }
}

/** One continuation, a token at a time; text is held back while a character is incomplete. */
class ScriptedSequence {
  isDone = false;
  readonly #ids: readonly number[];
  readonly #request: GenerateRequest;
  readonly #limit: number;
  readonly #isEndless: boolean;
  readonly #decoder = new TextDecoder();
  readonly #taken: number[] = [];
  #text = '';
  #prefix: string;

  constructor(
    answer: string,
    request: GenerateRequest,
    { limit, isEndless }: { readonly limit: number; readonly isEndless: boolean },
    promptText: string,
  ) {
    const stopAt = Math.min(
      ...(request.stop ?? []).map((stop) => answer.indexOf(stop)).filter((index) => index >= 0),
      answer.length,
    );
    this.#ids = byteIds(answer.slice(0, stopAt));
    this.#request = request;
    this.#isEndless = isEndless;
    this.#limit = isEndless ? Infinity : Math.min(limit, Math.max(1, this.#ids.length));
    this.#prefix = request.echo ? promptText : '';
  }

  next(sequence: number): GenerateEvent {
    const { length } = this.#taken;
    const id = this.#ids[this.#isEndless ? length % this.#ids.length : length];
    const tokenIds = id === undefined ? [] : [id];
    this.#taken.push(...tokenIds);
    this.isDone = this.#taken.length >= this.#limit || id === undefined;
    const bytes = Uint8Array.from(tokenIds, (tokenId) => tokenId - 3);
    const text = this.#prefix + this.#decoder.decode(bytes, { stream: !this.isDone });
    this.#prefix = '';
    this.#text += text;
    const { logprobs } = this.#request;
    const scored =
      logprobs === undefined ? undefined : tokenIds.map((tokenId) => logprobOf(tokenId, logprobs));
    return { type: 'text', sequence, text, tokenIds, logprobs: scored, logits: undefined };
  }

  end(sequence: number): GenerateEvent {
    const finishReason = this.#taken.length < this.#ids.length ? 'length' : 'stop';
    const cumulativeLogprob = this.#taken.reduce((sum, id) => sum + logprobOf(id, 0).logprob, 0);
    return {
      type: 'sequence',
      sequence,
      text: this.#text,
      tokenIds: this.#taken,
      finishReason,
      stop: undefined,
      cumulativeLogprob,
    };
  }
}

function logprobOf(tokenId: number, topCount: number): TextLogprobs {
  const text = BYTE_CODEC.decode([tokenId], true);
  const top = Array.from({ length: topCount }, (_, i) => ({
    tokenId: tokenId + i,
    logprob: -(tokenId % 8) / 8 - i,
  }));
  return {
    tokenId,
    text,
    bytes: bytesOfToken(tokenId),
    logprob: -(tokenId % 8) / 8,
    top,
    topTexts: top.map((entry) => BYTE_CODEC.decode([entry.tokenId], true)),
    topBytes: top.map((entry) => bytesOfToken(entry.tokenId)),
  };
}

async function promptIds(request: GenerateRequest): Promise<readonly number[]> {
  const { prompt } = request;
  if (prompt.type === 'tokens') return prompt.tokenIds;
  if (prompt.type === 'text') return await BYTE_CODEC.encode(prompt.text, prompt.addSpecialTokens);
  return await BYTE_CODEC.encode(
    prompt.messages.map((message) => `${message.role}: ${message.content}\n`).join(''),
    true,
  );
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms === 0) return await new Promise((resolve) => setImmediate(resolve));
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done);
  });
}

/** Loads a scripted model for every engine; a name in `failing` cannot be loaded. */
export class ScriptedLoader implements EngineLoader {
  readonly models = new Map<string, ScriptedModel>();
  readonly settings: EngineSettings[] = [];
  readonly failing = new Map<string, AloftError>();
  /** Loading waits for it. */
  gate: Promise<void> = Promise.resolve();
  readonly #script: Partial<ModelScript>;

  constructor(script: Partial<ModelScript> = {}) {
    this.#script = script;
  }

  /** Engines that memory holds at a time. */
  capacity = Infinity;
  /** Fails the one load that follows a check. */
  failsAfterCheck: AloftError | undefined;
  #isChecked = false;
  /** Calls of {@link check}. */
  checkCount = 0;

  async load(settings: EngineSettings): Promise<ServableEngine> {
    await this.gate;
    const live = [...this.models.values()].filter((model) => !model.isDisposed);
    if (live.length >= this.capacity) throw new AloftError('OUT_OF_MEMORY', 'Memory holds no other engine.');
    const late = this.#isChecked ? this.failsAfterCheck : undefined;
    this.#isChecked = false;
    if (late !== undefined) throw late;
    const failure = this.failing.get(settings.modelName);
    if (failure !== undefined) throw failure;
    this.settings.push(settings);
    const model = new ScriptedModel(this.#script);
    this.models.set(settings.modelName, model);
    return model;
  }

  async check(): Promise<void> {
    this.checkCount++;
    this.#isChecked = true;
  }

  async loadTokenizer(): Promise<typeof BYTE_CODEC> {
    return BYTE_CODEC;
  }
}
