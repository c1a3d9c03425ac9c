/** CUDA launch that rotates queries and keys and appends keys and values to the cache. */
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import { SMALL_THREADS, smallLaunch, VECTOR } from '../cuda/small-launch.js';
import { Struct } from '../struct.js';

export const ROPE_ARGS = new Struct('RopeArgs', 'rope/args.cuh', {
  qkv: 'address',
  cache: 'address',
  cosTable: 'address',
  sinTable: 'address',
  positions: 'address',
  tokenRows: 'address',
  rowOffsets: 'address',
  blockTables: 'address',
  blockStride: 'u64',
  heads: 'i32',
  kvHeads: 'i32',
  maxBlocks: 'i32',
});

/** Lanes of a head in rope-8bit.cu, which find the scale of a whole vector: a power of two. */
const scalingLanes = (headVectors: number): number => 2 ** Math.ceil(Math.log2(headVectors));

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
  const { tokens, headCount: heads, kvHeadCount: kvHeads, blockStride, maxBlocks } = shape;
  const headVectors = shape.headDim / 2 / VECTOR;
  const headThreads = shape.isQuantised ? scalingLanes(headVectors) : headVectors;
  const threads = (heads + 2 * kvHeads) * headThreads;
  return smallLaunch(
    'rope_append',
    [ceilDiv(threads, SMALL_THREADS), tokens, 1],
    ROPE_ARGS.of({
      qkv: o.qkv,
      cache: o.cache,
      cosTable: o.cosTable,
      sinTable: o.sinTable,
      positions: o.positions,
      tokenRows: o.tokenRows,
      rowOffsets: o.rowOffsets,
      blockTables: o.blockTables,
      blockStride,
      heads,
      kvHeads,
      maxBlocks,
    }),
  );
}
