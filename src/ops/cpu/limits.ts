/** Limits of the machine, measured when they are asked for: benchmarks print their share of them. */
import type { NativeLibrary } from '../../ffi/library.js';
import { allocateHost } from '../../ffi/memory.js';
import { bestMs } from '../measure.js';

/** Order of `enum class Arithmetic` in limits.cpp. */
const ARITHMETIC = ['f32', 'int8', 'amxInt8', 'amxBf16'] as const;

export type Arithmetic = (typeof ARITHMETIC)[number];

export interface MachineLimits {
  /** Reading memory that no cache holds, all threads, GB/s. */
  readonly readGBps: number;
  /** Operations (a multiply-add is two), all threads, GOP/s; 0 where the pool's level has no such instruction. */
  readonly peakGops: Readonly<Record<Arithmetic, number>>;
}

/** More than the last-level cache that one tenant of a shared machine is likely to hold. */
const READ_BYTES = 1 << 30;
const PEAK_ROUNDS = 1_000_000;

/** Takes about four seconds and 1 GiB. @param pool handle of the pool to measure with */
export function measureLimits(library: NativeLibrary, pool: number): MachineLimits {
  const read = library.bind('double aloft_limit_read(uint64_t pool, uint64_t address, int64_t bytes)');
  const peak = library.bind('double aloft_limit_peak(uint64_t pool, int arithmetic, int64_t rounds)');
  const area = allocateHost(READ_BYTES);
  area.bytes(0, READ_BYTES).fill(1);
  const readMs = bestMs(() => read(pool, area.address, READ_BYTES), 1000);
  area.dispose();
  const peakOf = (index: number): number => {
    const operations = Number(peak(pool, index, PEAK_ROUNDS));
    return operations === 0 ? 0 : operations / bestMs(() => peak(pool, index, PEAK_ROUNDS)) / 1e6;
  };
  return {
    readGBps: READ_BYTES / readMs / 1e6,
    peakGops: { f32: peakOf(0), int8: peakOf(1), amxInt8: peakOf(2), amxBf16: peakOf(3) },
  };
}
