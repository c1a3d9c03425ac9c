import type { CallListener } from '../executor/opening/timed-call.js';

/** Times of the ops of a profiled rank, summed until they are taken. */
export class OpTimes {
  #ms: number[] = [];

  readonly listener: CallListener = ({ opIndex, ms }) => {
    this.#ms[opIndex] = (this.#ms[opIndex] ?? 0) + ms;
  };

  /** @param opCount ops of the plan, and one for sampling @returns [opCount] f32, ms, as bytes */
  take(opCount: number): Uint8Array {
    const ms = Float32Array.from({ length: opCount }, (_, i) => this.#ms[i] ?? 0);
    this.#ms = [];
    return new Uint8Array(ms.buffer);
  }
}
