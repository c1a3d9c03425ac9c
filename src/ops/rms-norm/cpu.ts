import type { NativeLibrary } from '../../ffi/library.js';

/**
 * out = rmsNorm(x += delta) * weight; a delta of address 0 adds nothing.
 * x, delta, out [rowCount, columnCount] f32; weight [columnCount] f32; all by address.
 */
export type RmsNormKernel = (
  pool: number,
  x: number,
  delta: number,
  weight: number,
  out: number,
  rowCount: number,
  columnCount: number,
  epsilon: number,
) => void;

export function bindRmsNorm(library: NativeLibrary): RmsNormKernel {
  return library.bind(
    'void aloft_rms_norm(uint64_t pool, uint64_t x, uint64_t delta, uint64_t weight, uint64_t out, int64_t rows, int64_t columns, double epsilon)',
  );
}
