import { AloftError } from '../../core/errors.js';
import type { Executor } from './executor.js';

/**
 * What a module exports so that the engine thread can open its executor there: native handles, device state and the
 * loop then live on one thread.
 */
export interface ExecutorFactory {
  /** @param options whatever survives the structured clone algorithm; the module checks it */
  openExecutor(options: unknown): Promise<Executor>;
}

/** @param moduleUrl compiled module (`file:` URL) @throws {AloftError} INTERNAL when it is not a factory */
export async function loadExecutorFactory(moduleUrl: string): Promise<ExecutorFactory> {
  const loaded: unknown = await import(moduleUrl);
  if (isFactory(loaded)) return loaded;
  throw new AloftError(
    'INTERNAL',
    `${moduleUrl} does not export openExecutor(options); see ExecutorFactory.`,
  );
}

function isFactory(value: unknown): value is ExecutorFactory {
  return (
    typeof value === 'object' &&
    value !== null &&
    'openExecutor' in value &&
    typeof value.openExecutor === 'function'
  );
}
