/**
 * Decides when streams hand on what has gathered. All streams that have something are served in one pass: a thousand
 * tokens of one step cost one callback, and the system calls follow each other closely.
 *
 * A message costs the server and its client far more than the tokens in it. So the time between two passes is a multiple
 * of the time that one takes: a few streams get every token by itself, many streams larger messages instead of more. The
 * first token of a request and its end never wait, not even for the rest of a pass.
 */

export interface Flushable {
  flush(): void;
}

/** Passes take an eighth of the time, so that they hardly disturb an engine on the same processor, ... */
const PASSES_BETWEEN = 8;
/** ... as long as no token has to wait longer than this, ... */
const MAX_GAP_MS = 25;
/** ... and never more than half of it. */
const LEAST_REST = 1;
/** After so much of a pass, new requests and what is urgent get their turn. */
const SLICE_MS = 0.25;
/** Timers are not more exact than this. */
const TIMER_MS = 1;
/** Weight of the newest pass in the mean. */
const NEWEST = 0.2;

export class Flusher {
  private urgent: Flushable[] = [];
  private later: Flushable[] = [];
  private meanPassMs = 0;
  private nextPassMs = -Infinity;
  /** From the moment when a pass is asked for until it ends. */
  private isPassing = false;

  /** Flushes at the end of this turn of the event loop, whatever the load. */
  flushNow(stream: Flushable): void {
    if (this.urgent.push(stream) === 1) setImmediate(() => this.flushUrgent());
  }

  /** Flushes with the next pass. */
  flushLater(stream: Flushable): void {
    this.later.push(stream);
    this.requestPass();
  }

  private flushUrgent(): void {
    const streams = this.urgent;
    this.urgent = [];
    for (const stream of streams) stream.flush();
  }

  private requestPass(): void {
    if (this.isPassing || this.later.length === 0) return;
    this.isPassing = true;
    const waitMs = this.nextPassMs - performance.now();
    if (waitMs < TIMER_MS) setImmediate(() => this.pass());
    else setTimeout(() => this.pass(), waitMs);
  }

  private pass(): void {
    const streams = this.later;
    this.later = [];
    this.slice({ streams, doneCount: 0, startMs: performance.now(), workMs: 0 });
  }

  private slice(pass: Pass): void {
    this.flushUrgent();
    const { streams } = pass;
    const startMs = performance.now();
    let nowMs = startMs;
    while (pass.doneCount < streams.length && nowMs - startMs < SLICE_MS) {
      streams[pass.doneCount++]!.flush();
      nowMs = performance.now();
    }
    pass.workMs += nowMs - startMs;
    if (pass.doneCount < streams.length) setImmediate(() => this.slice(pass));
    else this.endPass(pass, nowMs);
  }

  private endPass({ startMs, workMs }: Pass, nowMs: number): void {
    this.meanPassMs += NEWEST * (workMs - this.meanPassMs);
    const wantedMs = Math.min(MAX_GAP_MS, PASSES_BETWEEN * this.meanPassMs);
    this.nextPassMs = Math.max(startMs + wantedMs, nowMs + LEAST_REST * this.meanPassMs);
    this.isPassing = false;
    this.requestPass();
  }
}

interface Pass {
  readonly streams: readonly Flushable[];
  doneCount: number;
  readonly startMs: number;
  /** Without what happened between the slices. */
  workMs: number;
}
