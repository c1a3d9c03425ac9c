import type { CudaDriver } from './driver.js';

const NON_BLOCKING = 1;
const CAPTURE_RELAXED = 2;

/** A queue of device work. */
export interface Stream {
  readonly handle: number;
  synchronize(): void;
  /** Has what comes next wait on the device for an event, as it was recorded last. */
  waitFor(event: CudaEvent): void;
  /** Records what `enqueue` puts on the stream instead of running it. */
  capture(enqueue: () => void): Graph;
  copyToDevice(target: number, hostAddress: number, byteLength: number): void;
  copyToHost(hostAddress: number, source: number, byteLength: number): void;
  copyOnDevice(target: number, source: number, byteLength: number): void;
  fillWords(target: number, word: number, wordCount: number): void;
  dispose(): void;
}

/** A captured sequence of device work that one call launches. */
export interface Graph {
  launch(stream: Stream): void;
  dispose(): void;
}

/** A point in a stream. */
export interface CudaEvent {
  record(stream: Stream): void;
  isDone(): boolean;
  synchronize(): void;
  /** Milliseconds from `start` to this event, negative where it came first; both must be done, on streams of one device. */
  msSince(start: CudaEvent): number;
  readonly handle: number;
  dispose(): void;
}

export function createStream(driver: CudaDriver): Stream {
  const handle = driver.out64('cuStreamCreate', NON_BLOCKING);
  const stream: Stream = {
    handle,
    synchronize: () => driver.call('cuStreamSynchronize', handle),
    waitFor: (event) => driver.call('cuStreamWaitEvent', handle, event.handle, 0),
    capture(enqueue) {
      driver.call('cuStreamBeginCapture_v2', handle, CAPTURE_RELAXED);
      try {
        enqueue();
      } catch (error) {
        endFailedCapture(driver, handle);
        throw error;
      }
      return instantiate(driver, driver.out64WithFirst('cuStreamEndCapture', handle));
    },
    copyToDevice: (target, hostAddress, byteLength) =>
      driver.call('cuMemcpyHtoDAsync_v2', target, hostAddress, byteLength, handle),
    copyToHost: (hostAddress, source, byteLength) =>
      driver.call('cuMemcpyDtoHAsync_v2', hostAddress, source, byteLength, handle),
    copyOnDevice: (target, source, byteLength) =>
      driver.call('cuMemcpyDtoDAsync_v2', target, source, byteLength, handle),
    fillWords: (target, word, wordCount) => driver.call('cuMemsetD32Async', target, word, wordCount, handle),
    dispose: () => driver.call('cuStreamDestroy_v2', handle),
  };
  return stream;
}

/** Leaves capture mode, so that the stream stays usable; the error that came first is the one to report. */
function endFailedCapture(driver: CudaDriver, stream: number): void {
  try {
    driver.call('cuGraphDestroy', driver.out64WithFirst('cuStreamEndCapture', stream));
  } catch {
    // A capture that failed has no graph.
  }
}

function instantiate(driver: CudaDriver, graph: number): Graph {
  const executable = driver.out64('cuGraphInstantiateWithFlags', graph, 0);
  driver.call('cuGraphDestroy', graph);
  const launch = driver.raw('cuGraphLaunch');
  return {
    launch: (stream) => driver.check('cuGraphLaunch', launch(executable, stream.handle)),
    dispose: () => driver.call('cuGraphExecDestroy', executable),
  };
}

export function createEvent(driver: CudaDriver): CudaEvent {
  const handle = driver.out64('cuEventCreate', 0);
  return {
    handle,
    record: (stream) => driver.call('cuEventRecord', handle, stream.handle),
    isDone: () => driver.query('cuEventQuery', handle),
    synchronize: () => driver.call('cuEventSynchronize', handle),
    msSince: (start) => driver.outFloat('cuEventElapsedTime', start.handle, handle),
    dispose: () => driver.call('cuEventDestroy_v2', handle),
  };
}
