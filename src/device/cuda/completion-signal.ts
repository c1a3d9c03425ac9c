import { createWakeUp } from '../../ffi/wake-up.js';
import { openKernelLibrary } from '../cpu/kernel-library.js';
import type { CudaDriver } from './driver.js';
import { createStream, type CudaEvent } from './stream.js';

/** Wakes JavaScript when events have come or the device has failed, without a thread that waits or asks. */
export interface CompletionSignal {
  /** Signals once `event`, as it was recorded last, has come. The stream that it was recorded on waits for nothing. */
  signalAfter(event: CudaEvent): void;
  /** Resolves after the next signal. Signals that came while nobody waited are forgotten: ask the event first, then wait. */
  next(): Promise<void>;
  /** Waits for signals that are still to come. */
  dispose(): void;
}

/**
 * A stream of its own waits for the event and then has CUDA write to a pipe. The older of CUDA's two ways to call the host is
 * used, because it also calls when the device has failed, which the newer one (`cuLaunchHostFunc`) does not: then the event
 * reports the error to whoever wakes and asks. docs/decisions/0011 has the numbers.
 */
export function createCompletionSignal(driver: CudaDriver): CompletionSignal {
  const raise = openKernelLibrary().address('aloft_raise');
  const wakeUp = createWakeUp();
  const stream = createStream(driver);
  const addCallback = driver.raw('cuStreamAddCallback');
  return {
    signalAfter(event) {
      stream.waitFor(event);
      driver.check('cuStreamAddCallback', addCallback(stream.handle, raise, wakeUp.descriptor, 0));
    },
    next: () => wakeUp.next(),
    dispose() {
      stream.synchronize();
      stream.dispose();
      wakeUp.dispose();
    },
  };
}
