/**
 * Decides when streams hand on what has gathered. All streams that have something are served in one pass: a thousand
 * tokens of one step cost one callback, and the system calls follow each other closely.
 *
 * A message costs the server and its client far more than the tokens in it. So the time between two passes is a multiple
 * of the time that one takes: a few streams get every token by itself, many streams larger messages instead of more. The
 * first token of a request and its end never wait.
 */

export interface Flushable {
  flush(): void;
}

/** Passes take an eighth of the time, so that they hardly disturb an engine on the same processor, ... */
const PASSES_BETWEEN = 8;
/** ... as long as no token has to wait longer than this, ... */
const MAX_GAP_MS = 25;
/** ... and never more than half of it. */
const LEAST_PASSES_BETWEEN = 2;
/** Timers are not more exact than this. */
const TIMER_MS = 1;
/** Weight of the newest pass in the mean. */
const NEWEST = 0.2;

export class Flusher {
  private urgent: Flushable[] = [];
  private later: Flushable[] = [];
  private meanPassMs = 0;
  private nextPassMs = -Infinity;
  private isTurnDue = false;
  private isPassDue = false;

  /** Flushes at the end of this turn of the event loop, whatever the load. */
  flushNow(stream: Flushable): void {
    this.urgent.push(stream);
    this.requestTurn();
  }

  /** Flushes with the next pass. */
  flushLater(stream: Flushable): void {
    if (this.later.push(stream) > 1) return;
    const waitMs = this.nextPassMs - performance.now();
    this.isPassDue = waitMs < TIMER_MS;
    if (this.isPassDue) this.requestTurn();
    else setTimeout(() => this.pass(), waitMs);
  }

  private requestTurn(): void {
    if (this.isTurnDue) return;
    this.isTurnDue = true;
    setImmediate(() => {
      this.isTurnDue = false;
      const streams = this.urgent;
      this.urgent = [];
      for (const stream of streams) stream.flush();
      if (this.isPassDue) this.pass();
    });
  }

  private pass(): void {
    const startMs = performance.now();
    const streams = this.later;
    this.later = [];
    this.isPassDue = false;
    for (const stream of streams) stream.flush();
    const endMs = performance.now();
    this.meanPassMs += NEWEST * (endMs - startMs - this.meanPassMs);
    const wantedMs = Math.min(MAX_GAP_MS, PASSES_BETWEEN * this.meanPassMs);
    this.nextPassMs = startMs + Math.max(wantedMs, LEAST_PASSES_BETWEEN * this.meanPassMs);
  }
}
