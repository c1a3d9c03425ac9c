/** Decouples the engine's pace from a reader's. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AloftError } from '../../core/errors.js';
import type { Pacer } from './pacer.js';

/**
 * Batches of everything that arrived since the reader last asked. The first item is handed on within the turn of the
 * event loop in which it came; under load, or when the reader is slow, batches grow instead of calls.
 * Leaving early does not end `source`: its caller aborts it. `onEnd` runs once when the source itself has ended, with what it threw.
 * @throws {AloftError} SLOW_READER when more than `maxBufferedItems` wait.
 */
export async function* coalesce<Item>(
  source: AsyncIterable<Item>,
  { maxBufferedItems, pacer }: { readonly maxBufferedItems: number; readonly pacer: Pacer },
  onEnd: (failure: unknown) => void,
): AsyncGenerator<Item[], void, void> {
  let buffer: Item[] = [];
  let ended = false;
  let failure: unknown;
  let wake: (() => void) | undefined;
  const pump = async (): Promise<void> => {
    try {
      for await (const item of source) {
        buffer.push(item);
        if (buffer.length > maxBufferedItems) throw slowReader(maxBufferedItems);
        wake?.();
      }
    } catch (error) {
      failure = error;
    }
    ended = true;
    onEnd(failure);
    wake?.();
  };
  void pump();
  let flushedMs = -Infinity;
  for (;;) {
    if (buffer.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve));
    wake = undefined;
    if (!ended) await pacer.nextTurn();
    const waitMs = flushedMs + pacer.intervalMs - performance.now();
    if (!ended && waitMs > 1) await sleep(waitMs);
    const batch = buffer;
    buffer = [];
    flushedMs = performance.now();
    if (batch.length > 0) yield batch;
    else if (failure !== undefined) throw failure;
    else if (ended) return;
  }
}

function slowReader(limit: number): AloftError {
  return new AloftError(
    'SLOW_READER',
    `The client has not read ${limit} events that wait for it, so the request was cancelled; read faster.`,
  );
}
