import type { NativeLibrary } from '../../ffi/library.js';

/** out[i] = x[rows[i]]. x [any, columnCount] f32, rows [count] i32, out [count, columnCount] f32; by address. */
export type GatherKernel = (
  pool: number,
  x: number,
  rows: number,
  out: number,
  count: number,
  columnCount: number,
) => void;

export function bindGather(library: NativeLibrary): GatherKernel {
  return library.bind(
    'void aloft_gather(uint64_t pool, uint64_t x, uint64_t rows, uint64_t out, int64_t count, int64_t columns)',
  );
}
