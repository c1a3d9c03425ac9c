import type { Clock } from '../../../core/clock.js';

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #timeMs = 0;

  nowMs(): number {
    return this.#timeMs;
  }

  advance(byMs: number): void {
    this.#timeMs += byMs;
  }
}
