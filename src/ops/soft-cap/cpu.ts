import type { NativeLibrary } from '../../ffi/library.js';

/** x = cap * tanh(x / cap) over `count` f32, by address. */
export type SoftCapKernel = (pool: number, x: number, cap: number, count: number) => void;

export function bindSoftCap(library: NativeLibrary): SoftCapKernel {
  return library.bind('void aloft_soft_cap(uint64_t pool, uint64_t x, double cap, int64_t count)');
}
