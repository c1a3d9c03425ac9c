/** CUDA launch of the embedding: a block a token. */
import { i32, type KernelLaunch, pointer } from '../cuda/launch.js';
import { smallLaunch } from '../cuda/small-launch.js';

export function embeddingLaunch(
  shape: { readonly tokens: number; readonly hidden: number },
  o: {
    readonly table: number;
    /** Of an int8 table, else 0. */
    readonly scale: number;
    readonly tokenIds: number;
    readonly tokenRows: number;
    readonly rowSlots: number;
    readonly lastTokens: number;
    readonly out: number;
  },
): KernelLaunch {
  const tables = o.scale === 0 ? [o.table] : [o.table, o.scale];
  const addresses = [...tables, o.tokenIds, o.tokenRows, o.rowSlots, o.lastTokens, o.out];
  const kernel = o.scale === 0 ? 'embedding' : 'embedding_int8';
  return smallLaunch(kernel, [shape.tokens, 1, 1], [...addresses.map(pointer), i32(shape.hidden)]);
}
