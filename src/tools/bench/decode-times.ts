/** Durations of decode steps of a whole batch, on the device and on the host. */
import type { StepStats } from '../../core/batcher-stats.js';

/** Medians over steps. All are NaN when no step decoded a whole batch, as with one output token. */
export interface DecodeTimes {
  /** Time on the device. */
  readonly stepMs: number;
  /** Time of the host for a step: planning, submitting, reading results. */
  readonly hostUs: number;
  /** The part of it that the device waits for: with steps one ahead of their results, next to nothing. */
  readonly exposedUs: number;
}

/** A source of step statistics. */
export interface StepSource {
  onStep(listener: (stats: StepStats) => void): () => void;
}

/** Listens until `stop`. @param batch sequences of a whole batch; beams are more */
export function watchDecodeSteps(
  source: StepSource,
  batch: number,
): { medians(): DecodeTimes; readonly stop: () => void } {
  const steps: StepStats[] = [];
  const stop = source.onStep((stats) => {
    if (stats.prefillRowCount === 0 && stats.decodeRowCount >= batch) steps.push(stats);
  });
  const medianOf = (pick: (stats: StepStats) => number): number =>
    steps.map(pick).toSorted((a, b) => a - b)[steps.length >> 1] ?? NaN;
  return {
    stop,
    medians: () => ({
      stepMs: medianOf(({ deviceMs }) => deviceMs),
      hostUs: medianOf(({ hostMs }) => hostMs * 1000),
      exposedUs: medianOf(({ idleMs }) => idleMs * 1000),
    }),
  };
}
