import type { NativeLibrary } from '../../ffi/library.js';
import { elementOf, type WeightElement, type WeightFormat } from '../../plan/weight-format.js';

/** Numbers of a table's elements in native calls: the kernel's `TableDtype`. Tables of other elements are not read. */
export const TABLE_CODE = { f32: 0, f16: 1, bf16: 2, int8: 3 } as const satisfies Partial<
  Record<WeightElement, number>
>;

/** The number of a table's format; undefined where the kernel does not read it. */
export function tableCode(format: WeightFormat): number | undefined {
  return (TABLE_CODE as Partial<Record<WeightElement, number>>)[elementOf(format)];
}

/**
 * out[t] = factor * table[tokenIds[t]], by address. table [vocab, columnCount] of the element that `dtype` is the
 * {@link TABLE_CODE} of; scales [vocab] f32 for int8, otherwise 0; tokenIds [tokenCount] i32; out [tokenCount, columnCount] f32.
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
  factor: number,
) => void;

export function bindEmbedding(library: NativeLibrary): EmbeddingKernel {
  return library.bind(
    'void aloft_embedding(uint64_t pool, uint64_t table, uint64_t scales, int dtype, uint64_t tokenIds, uint64_t out, int64_t tokens, int64_t columns, double factor)',
  );
}
