/** Requests that have come and are not queued yet. */
import type { Clock } from '../../../core/clock.js';
import { type ErrorReport, reportError } from '../../../core/errors.js';
import type { RequestId } from '../../../core/ids.js';
import type { TokenRequest } from '../../../core/request.js';
import { ConstraintRuns } from './constraint-run.js';
import { refusedEvent } from './refusal.js';
import { RequestRun } from './request-run.js';
import type { RequestSink } from './request-sink.js';

/** Time of one turn for constraints that begin, which the first of them may exceed. */
const TURN_MS = 5;

interface Arrival {
  readonly request: TokenRequest;
  readonly sink: RequestSink;
  readonly nowMs: number;
}

/**
 * Makes the runs of requests. To begin a constraint may take a tenth of a second, before it is found to be too ambiguous; so each
 * turn of the loop begins a few and the others wait here. Many that come one after the other would keep all steps from running.
 */
export class Arrivals {
  readonly #clock: Clock;
  readonly #constraints = new ConstraintRuns();
  readonly #waiting = new Map<RequestId, Arrival>();
  /** Time that constraints have taken since the turn began. */
  #spentMs = 0;

  readonly #enter: (run: RequestRun) => void;

  /** @param enter takes each run that begins */
  constructor(clock: Clock, enter: (run: RequestRun) => void) {
    this.#clock = clock;
    this.#enter = enter;
  }

  get count(): number {
    return this.#waiting.size;
  }

  has(id: RequestId): boolean {
    return this.#waiting.has(id);
  }

  /** Begins a request, or has it wait where constraints have taken this turn's time. */
  add(request: TokenRequest, sink: RequestSink): void {
    const arrival = { request, sink, nowMs: this.#clock.nowMs() };
    const isFree = request.constraint === undefined && request.course === undefined;
    if (isFree) this.#enter(new RequestRun(request, sink, arrival.nowMs));
    else if (this.#spentMs < TURN_MS) this.#begin(arrival);
    else this.#waiting.set(request.id, arrival);
  }

  /** A new turn: begins those that have waited longest, one at least. */
  turn(): void {
    this.#spentMs = 0;
    for (const [id, arrival] of this.#waiting) {
      if (this.#spentMs >= TURN_MS) return;
      this.#waiting.delete(id);
      this.#begin(arrival);
    }
  }

  /** Refuses a request whose constraint cannot begin. */
  #begin({ request, sink, nowMs }: Arrival): void {
    const startMs = this.#clock.nowMs();
    try {
      this.#enter(new RequestRun(request, sink, nowMs, this.#constraints.of(request)));
    } catch (thrown) {
      sink.event(refusedEvent(request, reportError(thrown), this.#clock.nowMs(), nowMs));
    }
    this.#spentMs += this.#clock.nowMs() - startMs;
  }

  /** Ends a request that waits, if one of that id does. */
  end(id: RequestId, error: ErrorReport): void {
    const arrival = this.#waiting.get(id);
    if (arrival === undefined) return;
    this.#waiting.delete(id);
    const { request, sink, nowMs } = arrival;
    sink.event(refusedEvent(request, error, this.#clock.nowMs(), nowMs));
  }

  /** Ends all that wait. */
  endAll(error: ErrorReport): void {
    for (const id of [...this.#waiting.keys()]) this.end(id, error);
  }
}
