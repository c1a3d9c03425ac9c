/** Launches of the CUDA attention kernels. Pure. */
import { isQuantisedKv } from '../../plan/kv-dtype.js';
import type { Plan } from '../../plan/plan.js';
import { type CudaTarget, hasWarpgroupProducts } from '../cuda/capability.js';
import type { KernelLaunch } from '../cuda/launch.js';
import { decodeKernelsFor } from './cuda-decode.js';
import { scoresOf } from './cuda-defines.js';
import type { AttentionOperands, AttentionProblem } from './cuda-problem.js';
import { PREFILL_ARGS, WGMMA_PREFILL_ARGS } from './cuda-args.js';

/** A kernel of prefill attention. */
export interface PrefillKernel {
  readonly name: 'attention_prefill' | 'attention_prefill_wgmma';
  /** Queries that a block takes at a time. */
  readonly queryTile: number;
  /** Whether another one attends to keys and values that were expanded first, see cuda-expand.ts. */
  readonly expands: boolean;
}

/** Members of a plan that the kernels of attention are chosen by. */
type PlanOfAttention = Pick<Plan, 'kvDtype' | 'dims' | 'ops'>;

/** The kernel of prefill attention that a plan gets on a device: the one place that decides. */
export function prefillKernelFor(
  { kvDtype, dims, ops }: PlanOfAttention,
  computeCapability: number,
  blockTokens: number,
): PrefillKernel {
  const { windows, softCaps } = scoresOf(ops);
  const isWgmma =
    windows.length + softCaps.length === 0 &&
    hasWarpgroupProducts(computeCapability) &&
    (dims.headDim === 64 || dims.headDim === 128) &&
    (isQuantisedKv(kvDtype) || blockTokens % MIN_BOX_ROWS === 0);
  return isWgmma
    ? { name: 'attention_prefill_wgmma', queryTile: WGMMA_TILE, expands: isQuantisedKv(kvDtype) }
    : { name: 'attention_prefill', queryTile: PREFILL_TILE, expands: false };
}

/** Files of the kernels that a plan gets, for decode and prefill attention. */
export function attentionFiles(
  plan: PlanOfAttention,
  computeCapability: number,
  blockTokens: number,
): readonly string[] {
  const { name, expands } = prefillKernelFor(plan, computeCapability, blockTokens);
  const { few, many } = decodeKernelsFor(plan, computeCapability, blockTokens);
  return [
    ...new Set([few.file, many.file]),
    `paged-attention/${name === 'attention_prefill' ? 'prefill' : 'prefill-wgmma'}.cu`,
    ...(expands ? ['paged-attention/prefill-expanded.cu'] : []),
  ];
}

/** Queries and keys of a tile: of prefill.cu, and of prefill-wgmma.cuh. */
const PREFILL_TILE = 64;
export const WGMMA_TILE = 128;
/** Rows of the pattern that swizzles a tile. */
const MIN_BOX_ROWS = 8;

/** Rows of the boxes that prefill-copies.cuh copies: all queries of a tile; keys that lie together in a cache block. */
export function wgmmaBoxRows(blockTokens: number): { readonly qkv: number; readonly cache: number } {
  return { qkv: WGMMA_TILE, cache: Math.min(blockTokens & -blockTokens, WGMMA_TILE) };
}

/** Attention for rows with several new tokens, whose keys and values are in the cache already. */
export function prefillLaunch(
  kernel: PrefillKernel,
  problem: AttentionProblem,
  target: CudaTarget,
  operands: AttentionOperands,
): KernelLaunch {
  return kernel.name === 'attention_prefill'
    ? tiledPrefillLaunch(problem, operands)
    : wgmmaPrefillLaunch(problem, target, operands);
}

/** Two stages of keys and values as activations; or one, and two as they are cached, with scales. See prefill.cu. */
export function prefillSharedBytes({
  headDim,
  isQuantised,
}: Pick<AttentionProblem, 'headDim' | 'isQuantised'>): number {
  const activations = 2 * PREFILL_TILE * (headDim * 2 + 16);
  return activations + (isQuantised ? 2 * 2 * PREFILL_TILE * (headDim + 4) : activations);
}

function tiledPrefillLaunch(problem: AttentionProblem, o: AttentionOperands): KernelLaunch {
  return {
    unit: 'attention',
    kernel: 'attention_prefill',
    grid: [problem.headCount, problem.prefillTiles, 1],
    blockThreads: 128,
    sharedBytes: prefillSharedBytes(problem),
    args: PREFILL_ARGS.of({
      qkv: o.qkv,
      cache: o.cache,
      out: o.out,
      rowOffsets: o.rowOffsets,
      contextLengths: o.contextLengths,
      blockTables: o.blockTables,
      tiles: o.prefillTiles,
      blockStride: problem.blockStride,
      heads: problem.headCount,
      kvHeads: problem.kvHeadCount,
      maxBlocks: problem.maxBlocks,
      window: problem.window,
    }),
  };
}

/** Slots of each ring of prefill-copies.cuh: queries, keys and values. */
const WGMMA_SLOTS = 2;
const WGMMA_BARRIER_BYTES = 256;

/** The rings and their barriers. */
export function wgmmaSharedBytes(headDim: number): number {
  return 3 * WGMMA_SLOTS * WGMMA_TILE * headDim * 2 + WGMMA_BARRIER_BYTES;
}

/** @param o with maps */
function wgmmaPrefillLaunch(
  { headCount, kvHeadCount, headDim, blockStride, maxBlocks, prefillTiles, keyTiles }: AttentionProblem,
  { multiprocessorCount }: CudaTarget,
  o: AttentionOperands,
): KernelLaunch {
  const vectorBytes = headDim * 2;
  return {
    unit: 'attention',
    kernel: keyTiles > 0 ? 'attention_prefill_expanded' : 'attention_prefill_wgmma',
    grid: [Math.min(headCount * prefillTiles, multiprocessorCount), 1, 1],
    blockThreads: 384,
    sharedBytes: wgmmaSharedBytes(headDim),
    args: WGMMA_PREFILL_ARGS.of({
      qkvMap: o.maps!.qkv,
      cacheMap: keyTiles > 0 ? o.maps!.expanded : o.maps!.cache,
      out: o.out,
      rowOffsets: o.rowOffsets,
      contextLengths: o.contextLengths,
      blockTables: o.blockTables,
      tiles: o.prefillTiles,
      taken: o.arrivals,
      firstKeyTiles: o.firstKeyTiles,
      cache: o.cache,
      blockStride,
      firstVector: o.layerOffsetBytes / vectorBytes,
      blockVectors: blockStride / headDim,
      tileCount: prefillTiles,
      heads: headCount,
      kvHeads: kvHeadCount,
      maxBlocks,
    }),
  };
}
