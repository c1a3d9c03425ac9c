/**
 * Decides when streams hand on what has gathered. All streams that have something are served in one pass: a thousand
 * tokens of one step cost one callback, and the system calls follow each other closely.
 *
 * A message costs the server and its client far more than the tokens in it. So the time between two passes is a multiple
 * of the time that one takes: a few streams get every token by itself, many streams larger messages instead of more. An
 * engine that computes on processors which the server, its clients or the kernel's network work need stands still
 * meanwhile, so then the multiple is larger. The first token of a request and its end never wait, not even for the rest of
 * a pass.
 *
 * Their receiver often has something to do at once: the client that was served last sends its next request, which is to
 * catch the next step. Where clients run on the same processors, a pass right behind would keep them from it, so it gives
 * way for a moment.
 */

export interface Flushable {
  flush(): void;
}

/** Passes take an eighth of the time where a processor is free, ... */
const PASSES_BETWEEN = 8;
/** ... and a fortieth where none is, ... */
const PASSES_BETWEEN_SPARING = 40;
/** ... as long as no token has to wait longer than this, ... */
const MAX_GAP_MS = 25;
/** ... and never more than half of it. */
const LEAST_REST = 1;
/** After so much of a pass, new requests and what is urgent get their turn. */
const SLICE_MS = 0.25;
/** Timers are not more exact than this. */
const TIMER_MS = 1;
/** Time for which a pass gives way to clients that were just served, ms. */
const GIVE_WAY_MS = 1;
/** Weight of the newest pass in the mean. */
const NEWEST = 0.2;

export class Flusher {
  readonly #passesBetween: number;
  #urgent: Flushable[] = [];
  #later: Flushable[] = [];
  #meanPassMs = 0;
  #nextPassMs = -Infinity;
  #lastUrgentMs = -Infinity;
  /** From the moment when a pass is asked for until it ends. */
  #isPassing = false;

  /** @param options.isSparing The engine and the server's thread have all processors. */
  constructor({ isSparing }: { readonly isSparing: boolean }) {
    this.#passesBetween = isSparing ? PASSES_BETWEEN_SPARING : PASSES_BETWEEN;
  }

  /** Flushes when the callback at hand and what it has promised are done, whatever the load. */
  flushNow(stream: Flushable): void {
    if (this.#urgent.push(stream) === 1) process.nextTick(() => this.#flushUrgent());
  }

  /** Flushes with the next pass. */
  flushLater(stream: Flushable): void {
    this.#later.push(stream);
    this.#requestPass();
  }

  #flushUrgent(): void {
    const streams = this.#urgent;
    this.#urgent = [];
    for (const stream of streams) stream.flush();
    this.#lastUrgentMs = performance.now();
  }

  #requestPass(): void {
    if (this.#isPassing || this.#later.length === 0) return;
    this.#isPassing = true;
    const waitMs = this.#nextPassMs - performance.now();
    if (waitMs < TIMER_MS) setImmediate(() => this.#giveWay());
    else setTimeout(() => this.#giveWay(), waitMs);
  }

  /** Once for a pass: whatever starts and ends meanwhile, it comes. */
  #giveWay(): void {
    const waitMs = this.#lastUrgentMs + GIVE_WAY_MS - performance.now();
    if (waitMs > 0) setTimeout(() => this.#pass(), waitMs);
    else this.#pass();
  }

  #pass(): void {
    const streams = this.#later;
    this.#later = [];
    this.#slice({ streams, doneCount: 0, startMs: performance.now(), workMs: 0 });
  }

  #slice(pass: Pass): void {
    const { streams } = pass;
    const startMs = performance.now();
    let nowMs = startMs;
    while (pass.doneCount < streams.length && nowMs - startMs < SLICE_MS) {
      streams[pass.doneCount++]!.flush();
      nowMs = performance.now();
    }
    pass.workMs += nowMs - startMs;
    if (pass.doneCount < streams.length) setImmediate(() => this.#slice(pass));
    else this.#endPass(pass, nowMs);
  }

  #endPass({ startMs, workMs }: Pass, nowMs: number): void {
    this.#meanPassMs += NEWEST * (workMs - this.#meanPassMs);
    const wantedMs = Math.min(MAX_GAP_MS, this.#passesBetween * this.#meanPassMs);
    this.#nextPassMs = Math.max(startMs + wantedMs, nowMs + LEAST_REST * this.#meanPassMs);
    this.#isPassing = false;
    this.#requestPass();
  }
}

interface Pass {
  readonly streams: readonly Flushable[];
  doneCount: number;
  readonly startMs: number;
  /** Without what happened between the slices. */
  workMs: number;
}
