/** The largest use of a device's memory while something runs. */
import type { Executor } from '../../run/executor/executor.js';

/** Often enough to see a case of a second; asking takes microseconds. */
const SAMPLE_MS = 100;

export interface PeakMemory {
  /** Largest value so far; 0 for devices that use the machine's own memory. */
  bytes(): number;
  stop(): void;
}

export function watchDeviceMemory({ deviceUsedBytes }: Pick<Executor, 'deviceUsedBytes'>): PeakMemory {
  if (deviceUsedBytes === undefined) return { bytes: () => 0, stop() {} };
  let largest = deviceUsedBytes();
  const sample = (): void => {
    largest = Math.max(largest, deviceUsedBytes());
  };
  const timer = setInterval(sample, SAMPLE_MS).unref();
  return {
    bytes: () => largest,
    stop() {
      clearInterval(timer);
      sample();
    },
  };
}
