/**
 * Keys and values of a cache of 8 bits that are made activations before prefill attention, once for all queries that see them. Tiles of
 * queries would each make them anew: with few of them that is less work, with many it is most of it. The bits are the same. Pure.
 */
import type { PlanDims } from '../../plan/plan.js';
import { ACTIVATION_BYTES, type CudaDtype } from '../cuda/dtype.js';
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import type { Mapped } from '../cuda/mapped.js';
import { WGMMA_TILE } from './cuda.js';
import { EXPAND_ARGS } from './cuda-args.js';
import type { AttentionOperands, AttentionProblem } from './cuda-problem.js';

type HeadSizes = Pick<PlanDims, 'kvHeadCount' | 'headDim'>;

const EXPAND_THREADS = 256;
const MAX_EXPANDED_BYTES = 512 << 20;
/** Tiles of keys that all tiles of queries see together, for each tile that is expanded, from which on expanding takes less time. */
const LEAST_USES = 2;

/** Bytes of a tile of expanded keys with their values. */
export const keyTileBytes = ({ kvHeadCount, headDim }: HeadSizes): number =>
  2 * WGMMA_TILE * kvHeadCount * headDim * ACTIVATION_BYTES;

/** Tiles of keys that there is room for: those of the largest step of new prompts, and of a long one besides. */
export function keyTileRoom(
  dims: HeadSizes,
  {
    maxStepTokens,
    maxSequenceTokens,
  }: { readonly maxStepTokens: number; readonly maxSequenceTokens: number },
): number {
  const wanted = ceilDiv(maxStepTokens + maxSequenceTokens, WGMMA_TILE);
  return Math.min(wanted, Math.floor(MAX_EXPANDED_BYTES / keyTileBytes(dims)));
}

/** New tokens of a row, of all that it then has. */
export interface PrefillRow {
  readonly newTokens: number;
  readonly contextTokens: number;
}

/** Tiles of keys of rows, which a step expands; 0 where that does not pay or has no room. */
export function keyTilesOf(rows: Iterable<PrefillRow>, room: number): number {
  let [expanded, seen] = [0, 0];
  for (const { newTokens, contextTokens } of rows) {
    expanded += ceilDiv(contextTokens, WGMMA_TILE);
    for (let done = 0; done < newTokens; done += WGMMA_TILE)
      seen += ceilDiv(contextTokens - newTokens + Math.min(newTokens, done + WGMMA_TILE), WGMMA_TILE);
  }
  return expanded <= room && seen >= LEAST_USES * expanded ? expanded : 0;
}

/** Makes keys and values of a layer activations. */
export function expandLaunch(
  { keyTiles, kvHeadCount, blockStride, maxBlocks }: AttentionProblem,
  o: AttentionOperands,
): KernelLaunch {
  return {
    unit: 'attention',
    kernel: 'expand_cache',
    grid: [keyTiles, kvHeadCount, 1],
    blockThreads: EXPAND_THREADS,
    sharedBytes: 0,
    args: EXPAND_ARGS.of({
      cache: o.cache,
      expanded: o.expanded,
      keyTiles: o.keyTiles,
      contextLengths: o.contextLengths,
      blockTables: o.blockTables,
      blockStride,
      maxBlocks,
    }),
  };
}

/** Expanded keys and values as the kernel copies them: a box has half the columns of a tile. */
export function expandedMap(
  { kvHeadCount, headDim }: HeadSizes,
  {
    address,
    keyTiles,
    dtype,
  }: { readonly address: number; readonly keyTiles: number; readonly dtype: CudaDtype },
): Mapped {
  const rows = 2 * WGMMA_TILE * kvHeadCount * keyTiles;
  return { address, rows, columns: headDim, boxRows: WGMMA_TILE, dtype };
}
