/** The largest use of a GPU's memory while something runs. */
import { openGpu } from '../../device/cuda/gpu.js';

/** Often enough to see a case of a second; asking takes microseconds. */
const SAMPLE_MS = 100;

export interface PeakMemory {
  /** Largest value since the last `restart`. */
  bytes(): number;
  restart(): void;
  stop(): void;
}

/** Memory in use on a GPU now, by this and every other process. */
export interface UsedMemory {
  usedBytes(): number;
  dispose(): void;
}

export function openUsedMemory(gpu: number, cudaLibraryPath: string | undefined): UsedMemory {
  const opened = openGpu(gpu, cudaLibraryPath);
  return {
    usedBytes() {
      const { freeBytes, totalBytes } = opened.memoryInfo();
      return totalBytes - freeBytes;
    },
    dispose: () => opened.dispose(),
  };
}

/** Asks from time to time, and once more whenever it is asked. It takes over and disposes `memory`. */
export function watchPeak(memory: UsedMemory): PeakMemory {
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
