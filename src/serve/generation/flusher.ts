/**
 * Decides when streams hand on what has gathered. All streams that have something are served in one pass, once in a turn
 * of the event loop: a thousand tokens of one step cost one callback, and the system calls follow each other closely.
 *
 * Passes may take no more than half of the time. When there are so many streams that a pass takes long, the next one
 * waits as long as it took, so messages get larger instead of more. First messages never wait.
 */

export interface Flushable {
  flush(): void;
}

/** Rest after a pass in relation to its length. */
const REST = 1;
/** The longest that a token may wait, ms. */
const MAX_REST_MS = 50;
/** Weight of the newest pass in the mean. */
const NEWEST = 0.2;

export class Flusher {
  private first: Flushable[] = [];
  private later: Flushable[] = [];
  private meanPassMs = 0;
  private nextPassMs = -Infinity;
  private isTurnDue = false;
  private isPassDue = false;

  /** Flushes at the end of this turn of the event loop, whatever the load. */
  flushFirst(stream: Flushable): void {
    this.first.push(stream);
    this.requestTurn();
  }

  /** Flushes with the next pass. */
  flushLater(stream: Flushable): void {
    if (this.later.push(stream) > 1) return;
    const restMs = this.nextPassMs - performance.now();
    this.isPassDue = restMs < 1;
    if (this.isPassDue) this.requestTurn();
    else setTimeout(() => this.pass(), restMs);
  }

  private requestTurn(): void {
    if (this.isTurnDue) return;
    this.isTurnDue = true;
    setImmediate(() => {
      this.isTurnDue = false;
      const streams = this.first;
      this.first = [];
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
    this.nextPassMs = endMs + Math.min(MAX_REST_MS, REST * this.meanPassMs);
  }
}
