import type { NativeLibrary } from '../../ffi/library.js';

/** residual += delta over `count` f32, by address. */
export type AddKernel = (pool: number, residual: number, delta: number, count: number) => void;

export function bindAdd(library: NativeLibrary): AddKernel {
  return library.bind('void aloft_add(uint64_t pool, uint64_t residual, uint64_t delta, int64_t count)');
}
