/** Launches of the CUDA attention kernels. Pure. */
import { isQuantisedKv } from '../../plan/kv-dtype.js';
import type { Plan } from '../../plan/plan.js';
import { type CudaTarget, hasBulkRings, hasWarpgroupProducts } from '../cuda/capability.js';
import type { KernelLaunch, TensorMap } from '../cuda/launch.js';
import type { StructValue } from '../struct.js';
import { scoresOf } from './cuda-defines.js';
import { DECODE_ARGS, PREFILL_ARGS, WGMMA_PREFILL_ARGS } from './cuda-args.js';

const MAX_DECODE_BLOCKS_PER_HEAD = 1024;

/**
 * Shapes of the ring kernel: cached tokens of a piece, warps that take cache blocks, blocks that share a multiprocessor, and the
 * bytes of each one's ring; the cached tokens of a slot where tensor cores take them. A piece costs some microseconds beside its tokens; grouped queries have fewer key heads to spread over
 * the device, and their registers leave room for one block.
 */
const RING_SHAPES = {
  single: { splitTokens: 512, warps: 6, blocksPerMultiprocessor: 2, ringBytes: 104 << 10, productTokens: 64 },
  grouped: {
    splitTokens: 256,
    warps: 8,
    blocksPerMultiprocessor: 1,
    ringBytes: 136 << 10,
    productTokens: 32,
  },
} as const;
const MAX_RING_STAGES = 32;

const ringShape = (queryHeadsPerKvHead: number) =>
  RING_SHAPES[queryHeadsPerKvHead === 1 ? 'single' : 'grouped'];

/**
 * Cached tokens in one piece of decode attention, whole cache blocks. Without the ring a piece is held in registers:
 * fewer tokens when several query heads share them.
 */
export function splitTokensFor(target: CudaTarget, queryHeadsPerKvHead: number, blockTokens: number): number {
  if (hasBulkRings(target.computeCapability)) {
    const { splitTokens } = ringShape(queryHeadsPerKvHead);
    return blockTokens * Math.max(1, Math.floor(splitTokens / blockTokens));
  }
  return queryHeadsPerKvHead >= 4 ? 64 : 128;
}

/**
 * Cache blocks in a slot of the ring where decode attention multiplies on tensor cores (decode-int8.cuh): an int8 cache whose heads
 * and blocks fill their operands. Undefined elsewhere: a slot is one block.
 */
export function int8StageBlocks(
  { kvDtype, dims }: Pick<Plan, 'kvDtype' | 'dims'>,
  blockTokens: number,
): number | undefined {
  const { productTokens } = ringShape(dims.headCount / dims.kvHeadCount);
  const slotTokens = blockTokens === 64 ? 64 : productTokens;
  const isFilled = dims.headDim % 64 === 0 && blockTokens % 8 === 0 && slotTokens % blockTokens === 0;
  return kvDtype === 'i8' && isFilled ? slotTokens / blockTokens : undefined;
}

/** Device addresses that both kernels read. */
export interface AttentionOperands {
  readonly qkv: number;
  /** Address of the layer's keys and values in block 0. */
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
  /** [rows, kvHeads] counters, zero between launches. */
  readonly arrivals: number;
  /** Maps of qkv and of the whole cache, for the kernels that copy through them: see `wgmmaBoxRows`. */
  readonly maps: { readonly qkv: TensorMap; readonly cache: TensorMap } | undefined;
  /** Bytes from the cache's first block to `cache`. */
  readonly layerOffsetBytes: number;
}

export interface AttentionProblem {
  readonly headCount: number;
  readonly kvHeadCount: number;
  readonly headDim: number;
  readonly blockTokens: number;
  /** Elements from one block of the cache to the next. */
  readonly blockStride: number;
  /** Bytes of one head's keys and values in a block, with their scales. */
  readonly headBlockBytes: number;
  /** Cache blocks in a slot of decode attention's ring. */
  readonly stageBlocks: number;
  readonly isQuantised: boolean;
  readonly maxBlocks: number;
  /** Newest tokens that a token sees; 0 for all. */
  readonly window: number;
  readonly decodeItems: number;
  readonly prefillTiles: number;
}

/** Slots of a block's ring: a multiple of the warps that take cache blocks from it, see decode-ring.cu. */
export function ringStageCount(stageBytes: number, ringBytes: number, warps: number): number {
  const fitting = Math.max(1, Math.min(MAX_RING_STAGES, Math.floor(ringBytes / stageBytes)));
  return fitting < warps ? fitting : Math.floor(fitting / warps) * warps;
}

/** Rope, cache append and attention for rows with one new token. */
export function decodeLaunch(
  problem: AttentionProblem,
  target: CudaTarget,
  o: AttentionOperands,
): KernelLaunch {
  const { kvHeadCount, decodeItems, headBlockBytes, stageBlocks } = problem;
  if (!hasBulkRings(target.computeCapability)) {
    const blocks = Math.min(decodeItems, MAX_DECODE_BLOCKS_PER_HEAD);
    return {
      unit: 'attention',
      kernel: 'attention_decode',
      grid: [kvHeadCount, blocks, 1],
      blockThreads: 128,
      sharedBytes: 0,
      args: decodeArgs(problem, o, 0),
    };
  }
  const { warps, blocksPerMultiprocessor, ringBytes } = ringShape(problem.headCount / kvHeadCount);
  const stageBytes = stageBlocks * headBlockBytes;
  const stageCount = ringStageCount(stageBytes, ringBytes, warps);
  const blocks = target.multiprocessorCount * blocksPerMultiprocessor;
  return {
    unit: 'attention',
    kernel: 'attention_decode_ring',
    grid: [Math.min(decodeItems * kvHeadCount, blocks), 1, 1],
    blockThreads: (warps + 1) * 32,
    sharedBytes: stageCount * stageBytes,
    args: decodeArgs(problem, o, stageCount),
  };
}

function decodeArgs(
  { blockStride, kvHeadCount, maxBlocks, window }: AttentionProblem,
  o: AttentionOperands,
  stageCount: number,
): StructValue {
  return DECODE_ARGS.of({
    qkv: o.qkv,
    cache: o.cache,
    out: o.out,
    cosTable: o.cosTable,
    sinTable: o.sinTable,
    rowOffsets: o.rowOffsets,
    contextLengths: o.contextLengths,
    blockTables: o.blockTables,
    items: o.decodeItems,
    itemCount: o.itemCount,
    partials: o.partials,
    arrivals: o.arrivals,
    blockStride,
    kvHeads: kvHeadCount,
    maxBlocks,
    stageCount,
    window,
  });
}

/** A kernel of prefill attention. */
export interface PrefillKernel {
  readonly name: 'attention_prefill' | 'attention_prefill_wgmma';
  /** Queries that a block takes at a time. */
  readonly queryTile: number;
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
    !isQuantisedKv(kvDtype) &&
    (dims.headDim === 64 || dims.headDim === 128) &&
    blockTokens % MIN_BOX_ROWS === 0;
  return isWgmma
    ? { name: 'attention_prefill_wgmma', queryTile: WGMMA_TILE }
    : { name: 'attention_prefill', queryTile: PREFILL_TILE };
}

/** Files of the kernels that a plan gets: decode attention with a ring of bulk copies or without, and prefill attention. */
export function attentionFiles(
  plan: PlanOfAttention,
  computeCapability: number,
  blockTokens: number,
): readonly string[] {
  const isWgmma = prefillKernelFor(plan, computeCapability, blockTokens).name === 'attention_prefill_wgmma';
  return [
    `paged-attention/${hasBulkRings(computeCapability) ? 'decode-ring' : 'decode'}.cu`,
    `paged-attention/${isWgmma ? 'prefill-wgmma' : 'prefill'}.cu`,
  ];
}

/** Queries and keys of a tile: of prefill.cu, and of prefill-wgmma.cu. */
const PREFILL_TILE = 64;
const WGMMA_TILE = 128;
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
  { headCount, kvHeadCount, headDim, blockStride, maxBlocks, prefillTiles }: AttentionProblem,
  { multiprocessorCount }: CudaTarget,
  o: AttentionOperands,
): KernelLaunch {
  const vectorBytes = headDim * 2;
  return {
    unit: 'attention',
    kernel: 'attention_prefill_wgmma',
    grid: [Math.min(headCount * prefillTiles, multiprocessorCount), 1, 1],
    blockThreads: 384,
    sharedBytes: wgmmaSharedBytes(headDim),
    args: WGMMA_PREFILL_ARGS.of({
      qkvMap: o.maps!.qkv,
      cacheMap: o.maps!.cache,
      out: o.out,
      rowOffsets: o.rowOffsets,
      contextLengths: o.contextLengths,
      blockTables: o.blockTables,
      tiles: o.prefillTiles,
      taken: o.arrivals,
      firstVector: o.layerOffsetBytes / vectorBytes,
      blockVectors: blockStride / headDim,
      tileCount: prefillTiles,
      heads: headCount,
      kvHeads: kvHeadCount,
      maxBlocks,
    }),
  };
}
