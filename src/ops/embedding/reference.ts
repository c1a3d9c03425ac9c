/**
 * Embedding: out[t] = table[tokenIds[t]], table [vocab, hidden], tokenIds [tokens] i32, out [tokens, hidden].
 * The table may be f32, f16, bf16, or i8 with an f32 scale per row. In f32 every implementation gives the same bits.
 */
import { rowOf, zeroMatrix, type Matrix } from '../matrix.js';

/**
 * out[t] = factor * table[tokenIds[t]].
 * @param table [vocab, hidden] f32
 * @param tokenIds [tokens], each below vocab
 * @returns [tokens, hidden] f32
 */
export function embeddingReference(table: Matrix, tokenIds: Int32Array, factor = 1): Matrix {
  const out = zeroMatrix(tokenIds.length, table.columnCount);
  tokenIds.forEach((tokenId, token) =>
    rowOf(out, token).set(rowOf(table, tokenId).map((value) => factor * value)),
  );
  return out;
}
