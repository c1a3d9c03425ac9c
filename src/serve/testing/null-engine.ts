/** An engine that does nothing: every stream gets a token at each step, at any rate. Shows what the server itself costs. */
import type { GenerateEvent, GenerateRequest, Generator } from '../../core/generate.js';
import type { LoadedModel, ModelLoader } from '../loader.js';
import { BYTE_CODEC } from './byte-codec.js';

interface Stream {
  readonly ready: GenerateEvent[];
  wake: (() => void) | undefined;
}

const TOKEN: GenerateEvent = {
  type: 'text',
  sequence: 0,
  text: ' word',
  tokenIds: [5],
  logprobs: undefined,
  logits: undefined,
};
const TICK_MS = 1;

export class NullEngine implements LoadedModel {
  readonly generator: Generator;
  readonly codec = BYTE_CODEC;
  readonly maxRunningRequestCount = 100_000;
  readonly batchingStrategy = 'inflight_fused';
  readonly blockTokens = 64;
  readonly kvBlockCount = 0;
  readonly memory = [];
  private readonly streams = new Set<Stream>();
  private readonly timer: NodeJS.Timeout;
  private dueSteps = 0;
  private lastMs = performance.now();

  constructor(stepsPerSecond: number) {
    const maxInputTokens = 1 << 20;
    this.generator = {
      model: {
        name: 'null',
        vocabulary: 259,
        maxInputTokens,
        maxOutputTokens: maxInputTokens,
        maxSequenceTokens: maxInputTokens,
        precision: 'none',
        hasChatTemplate: false,
      },
      generate: (request, signal) => this.generate(request, signal),
    };
    this.timer = setInterval(() => this.tick(stepsPerSecond), TICK_MS);
  }

  subscribe(): () => void {
    return () => {};
  }

  heartbeatAgeMs(): number {
    return 0;
  }

  onFailure(): void {}

  async dispose(): Promise<void> {
    clearInterval(this.timer);
  }

  /** Makes up for the steps that a late timer has missed, as an engine in a thread of its own would have run them. */
  private tick(stepsPerSecond: number): void {
    const nowMs = performance.now();
    this.dueSteps += ((nowMs - this.lastMs) / 1000) * stepsPerSecond;
    this.lastMs = nowMs;
    const steps = Math.floor(this.dueSteps);
    this.dueSteps -= steps;
    if (steps === 0) return;
    for (const stream of this.streams) {
      for (let i = 0; i < steps; i++) stream.ready.push(TOKEN);
      stream.wake?.();
    }
  }

  private async *generate(
    request: GenerateRequest,
    signal?: AbortSignal,
  ): AsyncGenerator<GenerateEvent, void, void> {
    const stream: Stream = { ready: [], wake: undefined };
    this.streams.add(stream);
    const wake = () => stream.wake?.();
    signal?.addEventListener('abort', wake);
    const submittedMs = performance.now();
    let left = request.maxOutputTokens ?? 100;
    try {
      yield { type: 'started', id: request.id ?? '', promptTokenIds: [1], seed: 0n };
      while (left > 0 && !signal?.aborted) {
        if (stream.ready.length === 0) await new Promise<void>((resolve) => (stream.wake = resolve));
        for (const event of stream.ready.splice(0, left)) {
          left--;
          yield event;
        }
      }
    } finally {
      this.streams.delete(stream);
      signal?.removeEventListener('abort', wake);
    }
    const outputTokens = request.maxOutputTokens ?? 100;
    yield {
      type: 'sequence',
      sequence: 0,
      text: '',
      tokenIds: [],
      finishReason: 'length',
      stop: undefined,
      cumulativeLogprob: 0,
    };
    yield {
      type: 'finished',
      usage: { promptTokens: 1, cachedPromptTokens: 0, outputTokens },
      timings: {
        submittedMs,
        scheduledMs: submittedMs,
        firstTokenMs: submittedMs,
        finishedMs: performance.now(),
      },
    };
  }
}

export function nullLoader(stepsPerSecond: number): ModelLoader {
  return {
    load: async () => new NullEngine(stepsPerSecond),
    loadTokenizer: async () => BYTE_CODEC,
  };
}
