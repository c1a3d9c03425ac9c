import type { NativeLibrary } from '../../ffi/library.js';

/** Table element types, in the order of the kernel's `TableDtype`. */
export const TABLE_DTYPES = ['f32', 'f16', 'bf16', 'i8'] as const;

/**
 * out[t] = table[tokenIds[t]], by address. table [vocab, columnCount] of TABLE_DTYPES[dtype];
 * scales [vocab] f32 for i8, otherwise 0; tokenIds [tokenCount] i32; out [tokenCount, columnCount] f32.
 */
export type EmbeddingKernel = (
  pool: number,
  table: number,
  scales: number,
  dtype: number,
  tokenIds: number,
  out: number,
  tokenCount: number,
  columnCount: number,
) => void;

export function bindEmbedding(library: NativeLibrary): EmbeddingKernel {
  return library.bind(
    'void aloft_embedding(uint64_t pool, uint64_t table, uint64_t scales, int dtype, uint64_t tokenIds, uint64_t out, int64_t tokens, int64_t columns)',
  );
}
