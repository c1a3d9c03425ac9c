import type { NativeLibrary } from '../../ffi/library.js';

/**
 * RMSNorm of each query and key head of qkv [tokenCount, (headCount + 2 kvHeadCount) * headDim] f32, in place, with weights
 * [headDim] f32; by address.
 */
export type HeadNormKernel = (
  pool: number,
  qkv: number,
  queryWeight: number,
  keyWeight: number,
  tokenCount: number,
  headCount: number,
  kvHeadCount: number,
  headDim: number,
  epsilon: number,
) => void;

export function bindHeadNorm(library: NativeLibrary): HeadNormKernel {
  return library.bind(
    'void aloft_head_norm(uint64_t pool, uint64_t qkv, uint64_t queryWeight, uint64_t keyWeight, int64_t tokens, int64_t heads, int64_t kvHeads, int64_t headDim, double epsilon)',
  );
}
