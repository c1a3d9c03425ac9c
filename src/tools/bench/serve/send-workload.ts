/** Sends a workload to a server, at most so many requests at a time and none before its arrival, and measures. */
import { setTimeout } from 'node:timers/promises';
import { reportError } from '../../../core/errors.js';
import type { RequestRecord } from '../latency-report.js';
import type { WorkItem } from '../workload.js';
import type { BenchTarget } from './target.js';

export interface SendOptions {
  /** Infinity: only arrivals limit. */
  readonly concurrency: number;
  readonly onProgress?: (doneCount: number) => void;
  /** Ends requests that run, and sends no more. */
  readonly signal?: AbortSignal;
}

export interface WorkloadRun {
  readonly records: readonly RequestRecord[];
  /** Messages of failed requests with their counts. */
  readonly errors: ReadonlyMap<string, number>;
  readonly totalMs: number;
}

export async function sendWorkload(
  items: readonly WorkItem[],
  target: BenchTarget,
  options: SendOptions,
): Promise<WorkloadRun> {
  const records: RequestRecord[] = [];
  const errors = new Map<string, number>();
  const startMs = performance.now();
  const arrivals = new ArrivalClock();
  let next = 0;
  let doneCount = 0;
  const signal = options.signal ?? new AbortController().signal;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) {
      await until(startMs + item.arrivalMs, signal);
      try {
        records.push(await measure(item, target, { arrivals, signal }));
      } catch (error) {
        signal.throwIfAborted();
        const { message } = reportError(error);
        errors.set(message, (errors.get(message) ?? 0) + 1);
      }
      options.onProgress?.(++doneCount);
    }
  };
  const workerCount = Math.min(items.length, options.concurrency);
  await Promise.all(Array.from({ length: workerCount }, worker));
  return { records, errors, totalMs: performance.now() - startMs };
}

interface Measuring {
  readonly arrivals: ArrivalClock;
  readonly signal: AbortSignal;
}

async function measure(
  item: WorkItem,
  target: BenchTarget,
  { arrivals, signal }: Measuring,
): Promise<RequestRecord> {
  const startMs = performance.now();
  const tokenMs: number[] = [];
  for await (const tokenCount of target.send(item, signal)) {
    const nowMs = arrivals.nowMs() - startMs;
    for (let i = 0; i < tokenCount; i++) tokenMs.push(nowMs);
  }
  return {
    inputTokens: typeof item.prompt === 'string' ? 0 : item.prompt.length,
    outputTokens: tokenMs.length,
    firstTokenMs: tokenMs[0] ?? NaN,
    tokenMs,
    endMs: performance.now() - startMs,
  };
}

/** Time of messages. Those that one turn of the event loop hands out came in one read of a socket, so they arrived together. */
class ArrivalClock {
  #turnMs: number | undefined;

  nowMs(): number {
    if (this.#turnMs === undefined) {
      this.#turnMs = performance.now();
      setImmediate(() => (this.#turnMs = undefined));
    }
    return this.#turnMs;
  }
}

/** @throws {unknown} the signal's reason, as soon as it is aborted */
async function until(atMs: number, signal: AbortSignal): Promise<void> {
  const waitMs = atMs - performance.now();
  if (waitMs > 0) await setTimeout(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** Limits of good service; undefined limits nothing. */
export interface ServiceLevel {
  readonly maxFirstTokenMs: number | undefined;
  readonly maxTokenGapMs: number | undefined;
}

/** Requests a second that kept the service level. */
export function goodput({ records, totalMs }: WorkloadRun, level: ServiceLevel): number {
  const isGood = (record: RequestRecord) => {
    const gap = ((record.tokenMs.at(-1) ?? 0) - record.firstTokenMs) / Math.max(1, record.outputTokens - 1);
    return (
      record.firstTokenMs <= (level.maxFirstTokenMs ?? Infinity) && gap <= (level.maxTokenGapMs ?? Infinity)
    );
  };
  return (records.filter(isGood).length / totalMs) * 1000;
}
