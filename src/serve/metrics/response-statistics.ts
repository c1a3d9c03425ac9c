/**
 * Triton's `response_stats` of a decoupled model: what the first, the second, ... response of a request took.
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md
 */
import type { AloftError } from '../../core/errors.js';
import { DurationSum } from './duration-sum.js';
import { failureReason } from './failure-reason.js';

/** Sums over all requests for one place in the order of their responses. */
export class ResponseSums {
  /**
   * From the response before, or for the first one from the arrival of the request, to when the server had its tokens.
   * The first one thus includes the time in the queue: an engine reports that only when the request has ended.
   */
  readonly computeInfer = new DurationSum();
  /** From there to when its bytes were given to the connection. */
  readonly computeOutput = new DurationSum();
  /** Both together. */
  readonly success = new DurationSum();
  // Ends without a response, counted from the response before.
  readonly fail = new DurationSum();
  readonly emptyResponse = new DurationSum();
  readonly cancel = new DurationSum();
}

export class ResponseStatistics {
  /** One entry for each response of the longest answer. */
  readonly byIndex: ResponseSums[] = [];

  at(index: number): ResponseSums {
    return (this.byIndex[index] ??= new ResponseSums());
  }
}

/** Follows the responses of one request and adds them to the statistics of every model that it is counted for. */
export class ResponseFollower {
  readonly #targets: readonly ResponseStatistics[];
  #index = 0;
  /** When the response before was ready, and when the newest tokens came. */
  #sinceMs: number;
  #tokensMs: number;

  constructor(targets: readonly ResponseStatistics[], arrivedMs: number) {
    this.#targets = targets;
    this.#sinceMs = arrivedMs;
    this.#tokensMs = arrivedMs;
  }

  /** Tokens have come. */
  noteTokens(nowMs: number): void {
    this.#tokensMs = nowMs;
  }

  /** The responses made of them are written. None: the request ended without a response of its own. */
  noteWritten(count: number, nowMs: number): void {
    const inferMs = this.#tokensMs - this.#sinceMs;
    if (count === 0) return this.#add((sums) => sums.emptyResponse.addMs(inferMs));
    const outputMs = (nowMs - this.#tokensMs) / count;
    for (let i = 0; i < count; i++) {
      // Those written together were computed together: the first of them has waited for it.
      const waitedMs = i === 0 ? inferMs : 0;
      this.#add((sums) => {
        sums.computeInfer.addMs(waitedMs);
        sums.computeOutput.addMs(outputMs);
        sums.success.addMs(waitedMs + outputMs);
      });
      this.#index++;
    }
    this.#sinceMs = this.#tokensMs;
  }

  /** Ends the request. Requests that were refused have no responses to count. */
  noteFailure(failure: AloftError, nowMs: number): void {
    const reason = failureReason(failure);
    if (reason === 'REJECTED') return;
    this.#add((sums) => sums[reason === 'CANCELED' ? 'cancel' : 'fail'].addMs(nowMs - this.#sinceMs));
  }

  #add(to: (sums: ResponseSums) => void): void {
    for (const target of this.#targets) to(target.at(this.#index));
  }
}
