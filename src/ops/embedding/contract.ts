/**
 * Embedding: out[t] = table[tokenIds[t]], table [vocab, hidden], tokenIds [tokens] i32, out [tokens, hidden].
 * The table may be f32, f16, bf16, or i8 with an f32 scale per row. In f32 every implementation gives the same bits.
 */
import type { OpCost } from '../cost.js';

/** @param bytes of an element of the table and of an activation */
export function embeddingCost(
  tokenCount: number,
  hidden: number,
  bytes: { readonly table: number; readonly activation: number },
): OpCost {
  return { bytes: tokenCount * hidden * (bytes.table + bytes.activation), flops: 0 };
}
