/** Runs the rows of a batched request side by side. */
import type { AloftError } from '../../core/errors.js';
import type { GenerateEvent } from '../../core/generate.js';
import type { Reader } from '../generation/reader.js';
import type { GenerationCall, RunGeneration } from '../generation/run-generation.js';

export interface RowEvents {
  readonly row: number;
  readonly events: readonly GenerateEvent[];
}

/** The calls of the rows, which have one signal. Events of all rows come as they are made; one failure ends all. */
export function runRows(
  run: RunGeneration,
  calls: readonly GenerationCall[],
  reader: Reader<RowEvents>,
): void {
  const [only] = calls;
  if (only === undefined) return reader.end(undefined);
  if (calls.length === 1) {
    return run(only, {
      take: (events) => reader.take({ row: 0, events }),
      end: (failure) => reader.end(failure),
    });
  }
  const others = new AbortController();
  const signal = AbortSignal.any([only.signal, others.signal]);
  let openCount = calls.length;
  const end = (failure: AloftError | undefined) => {
    if (openCount === 0) return;
    openCount = failure === undefined ? openCount - 1 : 0;
    if (openCount > 0) return;
    reader.end(failure);
    if (failure !== undefined) others.abort();
  };
  for (const [row, call] of calls.entries())
    run({ ...call, signal }, { take: (events) => reader.take({ row, events }), end });
}
