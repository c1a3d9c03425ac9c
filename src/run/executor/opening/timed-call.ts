/** One timed call of a step: a kernel or a product of the matrix library. */
export interface TimedCall {
  /** Index of the op in the plan; the number of ops for sampling. */
  readonly opIndex: number;
  /** Name of the kernel, or of the library that was called. */
  readonly kernel: string;
  /** Since the step began on the device. */
  readonly startMs: number;
  readonly ms: number;
}

/** Gets the calls of a step in order, before `collect` returns the step's results. */
export type CallListener = (call: TimedCall) => void;
