import type { NativeLibrary } from '../../ffi/library.js';

/** out = silu(gate) * up. gateUp [rowCount, 2 * interCount] f32, out [rowCount, interCount] f32; by address. */
export type SwigluKernel = (
  pool: number,
  gateUp: number,
  out: number,
  rowCount: number,
  interCount: number,
) => void;

export function bindSwiglu(library: NativeLibrary): SwigluKernel {
  return library.bind(
    'void aloft_swiglu(uint64_t pool, uint64_t gateUp, uint64_t out, int64_t rows, int64_t inter)',
  );
}
