/** From an engine directory to something that answers: executor thread, batcher, tokenizer, text. */
import { DEVICE_TRAITS } from '../core/device.js';
import type { EmbeddingTraits } from '../core/embedding.js';
import { AloftError } from '../core/errors.js';
import type { ModelCard } from '../core/generate.js';
import { type EngineManifest, readManifest } from '../engine/manifest.js';
import { DEFAULT_BATCHER_OPTIONS } from '../run/batcher/batcher-options.js';
import { openThreadedBatcher, type ThreadedBatcher } from '../run/batcher/thread/threaded-batcher.js';
import type { OpenExecutorOptions } from '../run/executor/opening/open-options.js';
import { callFormatOf } from '../text/calls/call-formats.js';
import { thoughtTagsOf } from '../text/calls/thought-tags.js';
import type { ChatTemplate } from '../text/chat-template.js';
import { loadChatTemplate } from '../text/load-chat-template.js';
import { type GenerationDefaults, loadGenerationDefaults } from '../text/generation-config.js';
import { TextGenerator } from '../text/generator.js';
import { loadTokenizer } from '../text/tokenizer/load.js';
import type { Tokenizer } from '../text/tokenizer/tokenizer.js';
import type { LoadOptions } from './load-options.js';

const EXECUTOR_URL = new URL('../run/ranks/open-engine.js', import.meta.url).href;

/** An engine in a batcher, without text; benchmarks need no more. */
export interface LoadedBatcher {
  readonly manifest: EngineManifest;
  readonly batcher: ThreadedBatcher;
}

/** An engine that answers texts. */
export interface LoadedEngine extends LoadedBatcher {
  readonly tokenizer: Tokenizer;
  /** Sampling and end ids where a request leaves them out. */
  readonly defaults: GenerationDefaults;
  readonly text: TextGenerator;
}

/** Opens the executor on a thread of its own and starts its batcher. @throws {AloftError} of the engine reader and the executor */
export async function loadBatcher(engineDirectory: string, options: LoadOptions): Promise<LoadedBatcher> {
  const manifest = readManifest(engineDirectory);
  const { builder_config: build } = manifest;
  const { tokenizerDirectory: _, modelName: __, onProgress, signal, ...rest } = options;
  const { scheduler, executorUrl, ...open } = rest;
  const weightBytes = weightBytesOf(manifest);
  const report = (loadedBytes: number): void => onProgress?.({ stage: 'weights', weightBytes, loadedBytes });
  report(0);
  const opening = openThreadedBatcher(
    {
      executorUrl: executorUrl ?? EXECUTOR_URL,
      executorOptions: { ...open, engineDirectory } satisfies OpenExecutorOptions,
      batcher: {
        ...DEFAULT_BATCHER_OPTIONS,
        maxInputTokens: build.max_input_len,
        maxOutputTokens: manifest.aloft.output_is_limited === false ? undefined : build.max_output_len,
        // If a step is computed while it is submitted, overlapping hides nothing and delays tokens by a step (on a CPU,
        // time to the first token of the demo model 2.8 ms instead of 2.0).
        overlap: !DEVICE_TRAITS[manifest.aloft.device].computesWhileSubmitting,
        ...scheduler,
      },
    },
    report,
  );
  return { manifest, batcher: await unlessAborted(opening, signal) };
}

/** Bytes of an engine's weights, all ranks together. */
function weightBytesOf({ aloft }: EngineManifest): number {
  return aloft.ranks.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** A thread that reads weights cannot be stopped in the middle: it is closed as soon as it is open. */
async function unlessAborted(
  opening: Promise<ThreadedBatcher>,
  signal: AbortSignal | undefined,
): Promise<ThreadedBatcher> {
  if (signal === undefined) return await opening;
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(cancelled(signal));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([opening, aborted]);
  } catch (fault) {
    opening.then(
      (batcher) => batcher.close(),
      () => {}, // it has failed by itself
    );
    throw fault;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function cancelled({ reason }: AbortSignal): AloftError {
  return new AloftError('CANCELLED', 'Loading was cancelled by its signal.', { cause: reason });
}

export async function loadEngine(engineDirectory: string, options: LoadOptions): Promise<LoadedEngine> {
  const { onProgress, signal } = options;
  const manifest = readManifest(engineDirectory); // a directory without an engine has no tokenizer either, and only the first is worth reporting
  const weightBytes = weightBytesOf(manifest);
  const throwIfAborted = (): void => {
    if (signal?.aborted) throw cancelled(signal);
  };
  throwIfAborted();
  onProgress?.({ stage: 'tokenizer', weightBytes, loadedBytes: 0 });
  throwIfAborted();
  const tokenizerDirectory = options.tokenizerDirectory ?? engineDirectory;
  // The tokenizer before the weights: a missing one is found in milliseconds.
  const tokenizer = await loadTokenizer(tokenizerDirectory);
  const chatTemplate = await loadChatTemplate(tokenizerDirectory, tokenizer.specialTokens);
  const defaults = await loadGenerationDefaults(engineDirectory, tokenizer);
  throwIfAborted();
  const engine = await loadBatcher(engineDirectory, options);
  onProgress?.({ stage: 'ready', weightBytes, loadedBytes: weightBytes });
  const model = modelCard(engine, options, chatTemplate);
  return {
    ...engine,
    tokenizer,
    defaults,
    text: new TextGenerator({ model, batcher: engine.batcher, tokenizer, chatTemplate, defaults }),
  };
}

function embeddingTraits({ aloft, builder_config: build }: EngineManifest): EmbeddingTraits | undefined {
  const { embedding } = aloft;
  return (
    embedding && {
      columns: build.hidden_size,
      pooling: embedding.pooling,
      isNormalised: embedding.is_normalised,
    }
  );
}

function modelCard(
  { manifest, batcher }: LoadedBatcher,
  { modelName }: LoadOptions,
  chatTemplate: ChatTemplate | undefined,
): ModelCard {
  const { limits } = batcher;
  return {
    name: modelName ?? manifest.builder_config.name,
    vocabulary: limits.vocabulary,
    maxInputTokens: limits.maxInputTokens,
    maxOutputTokens: limits.maxOutputTokens,
    maxSequenceTokens: limits.maxSequenceTokens,
    precision: manifest.builder_config.precision,
    hasChatTemplate: chatTemplate !== undefined,
    embedding: embeddingTraits(manifest),
    callFormat: chatTemplate && callFormatOf(chatTemplate.toolSource),
    thought: chatTemplate && thoughtTagsOf(chatTemplate.toolSource),
  };
}
