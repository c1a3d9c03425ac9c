/** Share of the newest gap in the mean, once there are enough of them. */
const NEWEST_SHARE = 0.1;

/** Time between the ends of requests of an engine that has work. Pauses without any say nothing about how fast it is. */
export class FinishGaps {
  #lastMs: number | undefined;
  #count = 0;
  #meanMs = 0;

  /** Milliseconds; 0 while nothing is known. */
  get meanMs(): number {
    return this.#meanMs;
  }

  /** @param hasMoreWork whether others are running or waiting at `nowMs`, the end of one */
  add(nowMs: number, hasMoreWork: boolean): void {
    if (this.#lastMs !== undefined) {
      this.#count++;
      // The first ones count alike, so that few measured ones outweigh where the mean began.
      const share = Math.max(NEWEST_SHARE, 1 / this.#count);
      this.#meanMs += share * (nowMs - this.#lastMs - this.#meanMs);
    }
    this.#lastMs = hasMoreWork ? nowMs : undefined;
  }
}
