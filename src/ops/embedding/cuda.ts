/** CUDA launch of the embedding: a block a token. */
import type { KernelLaunch } from '../cuda/launch.js';
import { smallLaunch } from '../cuda/small-launch.js';
import { Struct, type ValuesOf } from '../struct.js';

export const EMBEDDING_ARGS = new Struct('EmbeddingArgs', 'embedding/embedding.cu', {
  table: 'address',
  scale: 'address',
  tokenIds: 'address',
  tokenRows: 'address',
  rowSlots: 'address',
  lastTokens: 'address',
  out: 'address',
  hidden: 'i32',
});

/** @param scale that of an INT8 table, else 0 */
export function embeddingLaunch(
  { tokens, hidden }: { readonly tokens: number; readonly hidden: number },
  {
    table,
    scale,
    tokenIds,
    tokenRows,
    rowSlots,
    lastTokens,
    out,
  }: Omit<ValuesOf<typeof EMBEDDING_ARGS>, 'hidden'>,
): KernelLaunch {
  return smallLaunch(
    scale === 0 ? 'embedding' : 'embedding_int8',
    [tokens, 1, 1],
    EMBEDDING_ARGS.of({ table, scale, tokenIds, tokenRows, rowSlots, lastTokens, out, hidden }),
  );
}
