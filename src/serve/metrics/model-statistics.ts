/** Triton's statistics of one version of one model: counts and summed durations since start. */
import type { AloftError } from '../../core/errors.js';
import type { GenerateEvent } from '../../core/generate.js';
import type { RequestTimings } from '../../core/request.js';
import type { RequestObserver } from '../generation/observer.js';

/** A count and the sum of its durations. */
export class DurationSum {
  count = 0;
  ns = 0;

  addMs(ms: number): void {
    this.count++;
    this.ns += Math.max(0, Math.round(ms * 1e6));
  }
}

/** Parts of one successful request, in ms. */
export interface RequestDurations {
  readonly requestMs: number;
  readonly queueMs: number;
  readonly inputMs: number;
  readonly inferMs: number;
  readonly outputMs: number;
}

export type FailureReason = 'REJECTED' | 'CANCELED' | 'BACKEND' | 'OTHER';

export class ModelStatistics {
  readonly success = new DurationSum();
  readonly fail = new DurationSum();
  readonly queue = new DurationSum();
  readonly computeInput = new DurationSum();
  readonly computeInfer = new DurationSum();
  readonly computeOutput = new DurationSum();
  readonly failures: Record<FailureReason, number> = { REJECTED: 0, CANCELED: 0, BACKEND: 0, OTHER: 0 };
  /** Unix time in ms of the last request. */
  lastInferenceMs = 0;
  pendingCount = 0;

  /** @param onSuccess Called with the parts of a request that succeeded. */
  observe(arrivedMs: number, onSuccess?: (durations: RequestDurations) => void): RequestObserver {
    this.pendingCount++;
    this.lastInferenceMs = Date.now();
    let timings: RequestTimings | undefined;
    return {
      onEvents: (events: readonly GenerateEvent[]) => {
        for (const event of events) if (event.type === 'finished') timings = event.timings;
      },
      onEnd: (error, nowMs) => {
        this.pendingCount--;
        if (error !== undefined) {
          this.fail.addMs(nowMs - arrivedMs);
          this.failures[failureReason(error)]++;
          return;
        }
        const durations = durationsOf(arrivedMs, nowMs, timings);
        this.addSuccess(durations);
        onSuccess?.(durations);
      },
    };
  }

  /** A request that did all its work within this time. */
  addWork(ms: number): void {
    this.lastInferenceMs = Date.now();
    this.addSuccess({ requestMs: ms, queueMs: 0, inputMs: 0, inferMs: ms, outputMs: 0 });
  }

  private addSuccess({ requestMs, queueMs, inputMs, inferMs, outputMs }: RequestDurations): void {
    this.success.addMs(requestMs);
    this.queue.addMs(queueMs);
    this.computeInput.addMs(inputMs);
    this.computeInfer.addMs(inferMs);
    this.computeOutput.addMs(outputMs);
  }
}

/**
 * The parts follow each other without gap or overlap, so they add up to the whole: all are told by the engine's times,
 * since events may reach this thread long after what they tell of.
 */
function durationsOf(
  arrivedMs: number,
  endedMs: number,
  timings: RequestTimings | undefined,
): RequestDurations {
  const requestMs = endedMs - arrivedMs;
  const inputMs = gap(arrivedMs, timings?.submittedMs);
  const queueMs = gap(timings?.submittedMs, timings?.scheduledMs);
  // Without an engine all of it is work of the model.
  const inferMs = timings === undefined ? requestMs : gap(timings.scheduledMs, timings.finishedMs);
  return { requestMs, queueMs, inputMs, inferMs, outputMs: requestMs - queueMs - inferMs - inputMs };
}

/** Why a request failed, in Triton's words. */
export function failureReason(error: AloftError): FailureReason {
  switch (error.code) {
    case 'QUEUE_FULL':
    case 'QUEUE_TIMEOUT':
    case 'SHUTTING_DOWN':
    case 'MODEL_UNAVAILABLE':
      return 'REJECTED';
    case 'CANCELLED':
    case 'SLOW_READER':
    case 'DEADLINE_EXCEEDED':
      return 'CANCELED';
    case 'DEVICE_FAILED':
    case 'OUT_OF_MEMORY':
    case 'RANK_DIED':
    case 'INTERNAL':
      return 'BACKEND';
    default:
      return 'OTHER';
  }
}

function gap(from: number | undefined, to: number | undefined): number {
  return from === undefined || to === undefined ? 0 : to - from;
}

/** Statistics of all models by name and version. */
export class StatisticsBook {
  private readonly byModel = new Map<string, ModelStatistics>();

  of(name: string, version: string): ModelStatistics {
    const key = `${name}\n${version}`;
    let statistics = this.byModel.get(key);
    if (statistics === undefined) this.byModel.set(key, (statistics = new ModelStatistics()));
    return statistics;
  }
}
