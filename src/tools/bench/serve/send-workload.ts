/** Sends a workload to a server, at most so many requests at a time and none before its arrival, and measures. */
import { reportError } from '../../../core/errors.js';
import type { RequestRecord } from '../latency-report.js';
import type { WorkItem } from '../workload.js';
import type { BenchTarget } from './target.js';

export interface SendOptions {
  /** Infinity: only arrivals limit. */
  readonly concurrency: number;
  readonly onProgress?: (doneCount: number) => void;
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
  let next = 0;
  let doneCount = 0;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) {
      await until(startMs + item.arrivalMs);
      try {
        records.push(await measure(item, target));
      } catch (error) {
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

async function measure(item: WorkItem, target: BenchTarget): Promise<RequestRecord> {
  const startMs = performance.now();
  const tokenMs: number[] = [];
  for await (const tokenCount of target.send(item, new AbortController().signal)) {
    const nowMs = performance.now() - startMs;
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

async function until(atMs: number): Promise<void> {
  const waitMs = atMs - performance.now();
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
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
