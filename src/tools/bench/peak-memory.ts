/** Watches the largest use of a device's memory while something runs. */
import type { MemoryGauge } from '../../device/device-support.js';

/** Often enough to see a case of a second; asking takes microseconds. */
const SAMPLE_MS = 100;

export interface PeakMemory {
  /** Largest value since the last `restart`. */
  bytes(): number;
  restart(): void;
  stop(): void;
}

/** Samples at regular intervals, and once more whenever the peak is asked for. Takes over and disposes `memory`. */
export function watchPeak(memory: MemoryGauge): PeakMemory {
  let largest = 0;
  const sample = (): void => {
    largest = Math.max(largest, memory.usedBytes());
  };
  const timer = setInterval(sample, SAMPLE_MS).unref();
  return {
    bytes() {
      sample();
      return largest;
    },
    restart() {
      largest = 0;
    },
    stop() {
      clearInterval(timer);
      memory.dispose();
    },
  };
}
