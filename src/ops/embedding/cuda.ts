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
  factor: 'f32',
});

/** @param o `scale` is that of an INT8 table, else 0 */
export function embeddingLaunch(
  {
    tokens,
    hidden,
    factor = 1,
  }: { readonly tokens: number; readonly hidden: number; readonly factor?: number },
  o: Omit<ValuesOf<typeof EMBEDDING_ARGS>, 'hidden' | 'factor'>,
): KernelLaunch {
  return smallLaunch(
    o.scale === 0 ? 'embedding' : 'embedding_int8',
    [tokens, 1, 1],
    EMBEDDING_ARGS.of({
      table: o.table,
      scale: o.scale,
      tokenIds: o.tokenIds,
      tokenRows: o.tokenRows,
      rowSlots: o.rowSlots,
      lastTokens: o.lastTokens,
      out: o.out,
      hidden,
      factor,
    }),
  );
}
