import type { NativeLibrary } from '../../ffi/library.js';

/** out = gelu(gate) * up. gateUp [rowCount, 2 * interCount] f32, out [rowCount, interCount] f32; by address. */
export type GegluKernel = (
  pool: number,
  gateUp: number,
  out: number,
  rowCount: number,
  interCount: number,
) => void;

export function bindGeglu(library: NativeLibrary): GegluKernel {
  return library.bind(
    'void aloft_geglu(uint64_t pool, uint64_t gateUp, uint64_t out, int64_t rows, int64_t inter)',
  );
}
