import { SCHEDULING_OPTIONS } from '../core/engine-option-table.js';
import type { EngineOptions } from '../core/engine-options.js';
import type { BatcherOptions } from '../run/batcher/batcher-options.js';
import type { OpenExecutorOptions } from '../run/executor/opening/open-options.js';

/** Options of an engine that is opened and served. Everything has a default: the engine's own limits, then what suits most. */
export interface LoadOptions extends Omit<OpenExecutorOptions, 'engineDirectory' | 'rank' | 'onWeightBytes'> {
  /** Tokenizer files; default: those that were copied into the engine. */
  readonly tokenizerDirectory?: string;
  /** Name that clients see; default: the engine's model name. */
  readonly modelName?: string;
  /** Options of the scheduler of requests. */
  readonly scheduler?: Partial<BatcherOptions>;
  /** Ends loading when it aborts. */
  readonly signal?: AbortSignal;
  /** Called as each stage of loading begins, and while weights come in. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Compiled module that opens the executor (see ExecutorModule); default: the one for the engine's device. */
  readonly executorUrl?: string;
}

/** Stage that loading has come to. */
export interface LoadProgress {
  /** Files of text first, then weights and cache on the device, then nothing more. */
  readonly stage: 'tokenizer' | 'weights' | 'ready';
  /** Bytes of the engine's weights, all ranks together. */
  readonly weightBytes: number;
  /** Those of them that are in their place; weights that are mapped stay where they lie, and are not counted before the end. */
  readonly loadedBytes: number;
}

/** Runs a load and shows its progress while it lasts. @returns what `load` returns */
export type ShowLoad = <Loaded>(
  load: (onProgress: (progress: LoadProgress) => void) => Promise<Loaded>,
) => Promise<Loaded>;

/** Separates options that a user gave in one list into those of the executor and those of its scheduler. */
export function loadOptionsOf(options: EngineOptions): LoadOptions {
  const entries = Object.entries(options);
  const isScheduling = ([name]: readonly [string, unknown]): boolean =>
    Object.hasOwn(SCHEDULING_OPTIONS, name);
  return {
    ...Object.fromEntries(entries.filter((entry) => !isScheduling(entry))),
    scheduler: Object.fromEntries(entries.filter(isScheduling)),
  };
}
