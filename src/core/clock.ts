/** Time as an input, so that schedulers and timeouts can be tested without waiting. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. */
  nowMs(): number;
}

export const SYSTEM_CLOCK: Clock = { nowMs: () => performance.now() };
