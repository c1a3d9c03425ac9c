/** Brings the masks of a step to the device on a stream of their own, so that they arrive while the forward pass computes. */
import type { CudaDriver } from '../../../device/cuda/driver.js';
import { createStream, type Stream } from '../../../device/cuda/stream.js';
import { maskWords } from '../../../ops/sample/contract.js';
import type { PendingStep } from './flight.js';

export class MaskUpload {
  readonly #stream: Stream;
  readonly #target: number;
  readonly #maskWords: number;

  /** @param target address of the area of masks on the device: all steps have the same one, so that captured kernels find it */
  constructor(driver: CudaDriver, target: number, vocabulary: number) {
    this.#stream = createStream(driver);
    this.#target = target;
    this.#maskWords = maskWords(vocabulary);
  }

  /**
   * Enqueues the upload of a step's masks, which the caller may change as soon as this returns. Whoever samples the step waits
   * for the event `masksThere` of its flight.
   */
  upload({ flight, before, step }: PendingStep): void {
    const words = step.maskCount * this.#maskWords;
    const staging = flight.masks();
    new Int32Array(staging.buffer).set(step.masks.subarray(0, words));
    // Until the step before is sampled, the area holds the masks of that step.
    if (before !== undefined) this.#stream.waitFor(before.end);
    this.#stream.copyToDevice(this.#target, staging.address, words * 4);
    flight.masksThere.record(this.#stream);
  }

  dispose(): void {
    this.#stream.synchronize();
    this.#stream.dispose();
  }
}
