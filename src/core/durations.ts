import type { RequestTimings } from './request.js';

/** Times of a request in milliseconds since it was made. */
export interface Durations {
  /** Until a step of the engine had it; undefined when none did. */
  readonly queuedMs: number | undefined;
  /** Until its first token; undefined when there was none. */
  readonly firstTokenMs: number | undefined;
  /** Until its end; undefined while it runs. */
  readonly wholeMs: number | undefined;
}

/** Durations from moments on the engine's clock. */
export function durationsOf({
  submittedMs,
  scheduledMs,
  firstTokenMs,
  finishedMs,
}: RequestTimings): Durations {
  const since = (ms: number | undefined): number | undefined =>
    ms === undefined ? undefined : ms - submittedMs;
  return { queuedMs: since(scheduledMs), firstTokenMs: since(firstTokenMs), wholeMs: since(finishedMs) };
}
