import { AloftError } from '../../../core/errors.js';
import type { Executor } from '../executor.js';

/**
 * A module that opens executors. The engine thread loads it by URL and opens its executor itself, so that native handles,
 * device state and the loop live on one thread.
 */
export interface ExecutorModule {
  /** @param options whatever survives the structured clone algorithm; the module checks it */
  openExecutor(options: unknown, onWeightBytes: (bytes: number) => void): Promise<Executor>;
}

/** @param moduleUrl compiled module (`file:` URL) @throws {AloftError} INTERNAL when it exports no openExecutor */
export async function loadExecutorModule(moduleUrl: string): Promise<ExecutorModule> {
  const loaded: unknown = await import(moduleUrl);
  if (isExecutorModule(loaded)) return loaded;
  throw new AloftError('INTERNAL', `${moduleUrl} does not export openExecutor(options); see ExecutorModule.`);
}

function isExecutorModule(value: unknown): value is ExecutorModule {
  return (
    typeof value === 'object' &&
    value !== null &&
    'openExecutor' in value &&
    typeof value.openExecutor === 'function'
  );
}
