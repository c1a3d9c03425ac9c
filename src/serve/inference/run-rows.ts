/** Runs the rows of a batched request side by side. */
import { setMaxListeners } from 'node:events';
import type { AloftError } from '../../core/errors.js';
import type { GenerateEvent } from '../../core/generate.js';
import type { Reader } from '../generation/reader.js';
import type { GenerationCall, RunGeneration } from '../generation/run-generation.js';

export interface RowEvents {
  readonly row: number;
  readonly events: readonly GenerateEvent[];
}

/**
 * The calls of the rows, which have one signal. Events of all rows come as they are made; one failure ends all.
 * Hardly more rows are in the engine's queue than it can run at the same time: a request of many rows takes turns with requests that
 * come after it, instead of all its rows going first. The request is admitted with its first row.
 */
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
  // Each row that runs listens to it.
  setMaxListeners(0, signal);
  let openCount = calls.length;
  let startedCount = 0;
  const end = (failure: AloftError | undefined) => {
    if (openCount === 0) return;
    openCount = failure === undefined ? openCount - 1 : 0;
    if (openCount > 0) return startNext();
    reader.end(failure);
    if (failure !== undefined) others.abort();
  };
  const startNext = () => {
    const row = startedCount++;
    const call = calls[row];
    if (call === undefined || openCount === 0) return;
    const isAdmitted = row > 0;
    run({ ...call, signal, isAdmitted }, { take: (events) => reader.take({ row, events }), end });
  };
  const rowsAtATime = rowsOf(only);
  for (let row = 0; row < rowsAtATime; row++) startNext();
}

/** Rows that wait so that a free slot has its next row at once, as a share of those that run. */
const WAITING_SHARE = 0.25;

/** Rows that fill the engine, and a few that wait. */
function rowsOf({ engine, request }: GenerationCall): number {
  const { bestOf, sequenceCount = 1, beam } = request;
  const width = beam?.width ?? bestOf ?? sequenceCount;
  return Math.max(1, Math.ceil(((1 + WAITING_SHARE) * engine.loaded.maxSequenceCount) / width));
}
