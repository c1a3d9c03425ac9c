/** Launches of the CUDA attention kernels. Pure. */
import { i32, pointer, type KernelLaunch } from '../cuda/launch.js';

/** Queries that a block of the prefill kernel takes. */
export const QUERY_TILE = 64;
const PREFILL_KEY_TILE = 64;
const MAX_DECODE_BLOCKS_PER_HEAD = 1024;

/** Cached tokens in one piece of decode attention: fewer when several query heads share the registers. */
export function splitTokensFor(queryHeadsPerKvHead: number): number {
  return queryHeadsPerKvHead >= 4 ? 64 : 128;
}

/** Device addresses that both kernels read. */
export interface AttentionOperands {
  readonly qkv: number;
  /** Of the layer, in block 0. */
  readonly cache: number;
  readonly out: number;
  readonly cosTable: number;
  readonly sinTable: number;
  readonly rowOffsets: number;
  readonly contextLengths: number;
  readonly blockTables: number;
  readonly decodeItems: number;
  readonly itemCount: number;
  readonly prefillTiles: number;
  readonly partials: number;
  readonly arrivals: number;
}

export interface AttentionProblem {
  readonly headCount: number;
  readonly kvHeadCount: number;
  readonly headDim: number;
  /** Elements from one block of the cache to the next. */
  readonly blockStride: number;
  readonly maxBlocks: number;
  readonly decodeItems: number;
  readonly prefillTiles: number;
}

/** Rope, cache append and attention for rows with one new token. */
export function decodeLaunch(problem: AttentionProblem, o: AttentionOperands): KernelLaunch {
  const addresses = [o.qkv, o.cache, o.out, o.cosTable, o.sinTable, o.rowOffsets, o.contextLengths];
  const more = [o.blockTables, o.decodeItems, o.itemCount, o.partials, o.arrivals];
  return {
    unit: 'attention',
    kernel: 'attention_decode',
    grid: [problem.kvHeadCount, Math.min(problem.decodeItems, MAX_DECODE_BLOCKS_PER_HEAD), 1],
    blockThreads: 128,
    sharedBytes: 0,
    args: [
      ...[...addresses, ...more].map(pointer),
      pointer(problem.blockStride),
      i32(problem.kvHeadCount),
      i32(problem.maxBlocks),
    ],
  };
}

/** Attention for rows with several new tokens, whose keys and values are in the cache already. */
export function prefillLaunch(problem: AttentionProblem, o: AttentionOperands): KernelLaunch {
  return {
    unit: 'attention',
    kernel: 'attention_prefill',
    grid: [problem.headCount, problem.prefillTiles, 1],
    blockThreads: 128,
    sharedBytes: 4 * PREFILL_KEY_TILE * (problem.headDim * 2 + 16),
    args: [
      ...[o.qkv, o.cache, o.out, o.rowOffsets, o.contextLengths, o.blockTables, o.prefillTiles].map(pointer),
      pointer(problem.blockStride),
      ...[problem.headCount, problem.kvHeadCount, problem.maxBlocks].map(i32),
    ],
  };
}
