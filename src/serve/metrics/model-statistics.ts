/** Triton's statistics of one version of one model: counts and summed durations since start. */
import type { GenerateEvent } from '../../core/generate.js';
import type { RequestTimings } from '../../core/request.js';
import type { RequestObserver } from '../generation/observer.js';
import { DurationSum } from './duration-sum.js';
import { failureReason, type FailureReason } from './failure-reason.js';
import { ResponseStatistics } from './response-statistics.js';

/** Parts of one successful request, in ms. */
export interface RequestDurations {
  readonly requestMs: number;
  readonly queueMs: number;
  readonly inputMs: number;
  readonly inferMs: number;
  readonly outputMs: number;
}

/** Durations of executions, by the parts of the work. */
export class ComputeSums {
  readonly computeInput = new DurationSum();
  readonly computeInfer = new DurationSum();
  readonly computeOutput = new DurationSum();

  addCompute({ inputMs, inferMs, outputMs }: RequestDurations): void {
    this.computeInput.addMs(inputMs);
    this.computeInfer.addMs(inferMs);
    this.computeOutput.addMs(outputMs);
  }
}

/** A request as the statistics see it. */
export interface CountedRequest extends RequestObserver {
  /** Rows of it that the model works on at once. */
  batchSize: number;
}

export class ModelStatistics extends ComputeSums {
  readonly success = new DurationSum();
  readonly fail = new DurationSum();
  readonly queue = new DurationSum();
  /**
   * By batch size: the rows of one request in one execution of the model. An engine batches in flight, across requests and
   * anew at every step, so that each row of a request is an execution of batch size 1, as Triton counts for decoupled
   * backends; the rows of its steps are in the metric `aloft_batch_rows`. Models without an engine work on the whole batch
   * of a request at once.
   */
  readonly batches = new Map<number, ComputeSums>();
  /** Statistics of responses; a decoupled model has many for a request. */
  readonly responses = new ResponseStatistics();
  /** Rows of requests that succeeded. */
  inferenceCount = 0;
  readonly failures: Record<FailureReason, number> = { REJECTED: 0, CANCELED: 0, BACKEND: 0, OTHER: 0 };
  /** Unix time in ms of the last request. */
  lastInferenceMs = 0;
  pendingCount = 0;

  /** @param onSuccess Called with the parts of a request that succeeded. */
  observe(arrivedMs: number, onSuccess?: (durations: RequestDurations) => void): CountedRequest {
    this.pendingCount++;
    this.lastInferenceMs = Date.now();
    let timings: RequestTimings | undefined;
    const counted: CountedRequest = {
      batchSize: 1,
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
        this.#addSuccess(durations, counted.batchSize);
        onSuccess?.(durations);
      },
    };
    return counted;
  }

  /** A request that did all its work within this time. */
  addWork(ms: number): void {
    this.lastInferenceMs = Date.now();
    this.#addSuccess({ requestMs: ms, queueMs: 0, inputMs: 0, inferMs: ms, outputMs: 0 }, 1);
  }

  #addSuccess(durations: RequestDurations, batchSize: number): void {
    this.inferenceCount += batchSize;
    this.success.addMs(durations.requestMs);
    this.queue.addMs(durations.queueMs);
    for (const sums of [this, this.#batchOf(batchSize)]) sums.addCompute(durations);
  }

  #batchOf(size: number): ComputeSums {
    let sums = this.batches.get(size);
    if (sums === undefined) this.batches.set(size, (sums = new ComputeSums()));
    return sums;
  }
}

/**
 * The parts follow each other without gap or overlap, so they add up to the whole: all come from the engine's clock,
 * since events may reach this thread long after they happened.
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

function gap(from: number | undefined, to: number | undefined): number {
  return from === undefined || to === undefined ? 0 : to - from;
}

/** Statistics of all models by name and version. */
export class StatisticsBook {
  readonly #byModel = new Map<string, ModelStatistics>();

  of(name: string, version: string): ModelStatistics {
    const key = `${name}\n${version}`;
    let statistics = this.#byModel.get(key);
    if (statistics === undefined) this.#byModel.set(key, (statistics = new ModelStatistics()));
    return statistics;
  }
}
