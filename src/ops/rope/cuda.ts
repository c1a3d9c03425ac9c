/** CUDA launch that rotates queries and keys and appends keys and values to the cache. */
import { ceilDiv, i32, type KernelLaunch, pointer } from '../cuda/launch.js';
import { SMALL_THREADS, smallLaunch, VECTOR } from '../cuda/small-launch.js';

const WARP = 32;

export interface RopeOperands {
  readonly qkv: number;
  readonly cache: number;
  readonly cosTable: number;
  readonly sinTable: number;
  readonly positions: number;
  readonly tokenRows: number;
  readonly rowOffsets: number;
  readonly blockTables: number;
}

export function ropeAppendLaunch(
  shape: {
    readonly tokens: number;
    readonly headCount: number;
    readonly kvHeadCount: number;
    readonly headDim: number;
    readonly blockStride: number;
    readonly isQuantised: boolean;
    readonly maxBlocks: number;
  },
  o: RopeOperands,
): KernelLaunch {
  // A warp a head where a scale of the whole vector is wanted.
  const headThreads = shape.isQuantised ? WARP : shape.headDim / 2 / VECTOR;
  const threads = (shape.headCount + 2 * shape.kvHeadCount) * headThreads;
  const addresses = [
    o.qkv,
    o.cache,
    o.cosTable,
    o.sinTable,
    o.positions,
    o.tokenRows,
    o.rowOffsets,
    o.blockTables,
  ];
  return smallLaunch(
    'rope_append',
    [ceilDiv(threads, SMALL_THREADS), shape.tokens, 1],
    [
      ...addresses.map(pointer),
      pointer(shape.blockStride),
      ...[shape.headCount, shape.kvHeadCount, shape.maxBlocks].map(i32),
    ],
  );
}
