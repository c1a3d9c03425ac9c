/** The CUDA kernels of decode attention: which one a plan gets, and its launches. Pure. */
import { kvVectorBytes } from '../../plan/kv-dtype.js';
import { type CudaTarget, hasBulkRings } from '../cuda/capability.js';
import type { KernelLaunch } from '../cuda/launch.js';
import { rowClass } from '../linear/cuda/row-classes.js';
import { DECODE_ARGS } from './cuda-args.js';
import type { DecodeKernel, DecodeKernels, PlanOfDecode } from './cuda-decode-kernel.js';
import { tensorKernels } from './cuda-decode-tensor.js';
import { fillingPieces, fixedPieces, type PieceLengths, wholeBlocks } from './cuda-pieces.js';
import type { AttentionOperands, AttentionProblem } from './cuda-problem.js';

/** The lowest class of row-classes.ts, so that a step has one class for all of its kernels. */
export const FEW_TOKENS = 8;

/** The kernel of a step of `tokens` tokens. */
export const decodeKernelOf = (
  { few, many }: Pick<DecodeKernels, 'few' | 'many'>,
  tokens: number,
): DecodeKernel => (tokens <= FEW_TOKENS ? few : many);

/** The kernels of decode attention that a plan gets on a device: the one place that decides. */
export function decodeKernelsFor(
  plan: PlanOfDecode,
  computeCapability: number,
  blockTokens: number,
): DecodeKernels {
  const group = plan.dims.headCount / plan.dims.kvHeadCount;
  if (!hasBulkRings(computeCapability)) {
    // A piece is held in registers: fewer tokens when several query heads share them.
    const pieceTokens = group >= 4 ? 64 : 128;
    const kernel = registerKernel(pieceTokens);
    return { few: kernel, many: kernel, defines: { PIECE_TOKENS: pieceTokens } };
  }
  const int8 = int8Shape(plan, group, blockTokens);
  // With few rows the warps of a block share a row's tokens.
  if (int8 !== undefined) {
    const few = ringKernel(group, ringPieces(group, blockTokens, int8.lengths.leastOfMany));
    return { few, many: int8Kernel(int8), defines: int8.defines };
  }
  const tensor = tensorKernels(plan, group, blockTokens);
  if (tensor !== undefined) return tensor;
  const ring = ringKernel(group, ringPieces(group, blockTokens, ringShape(group).pieceTokens));
  return { few: ring, many: ring, defines: {} };
}

const MAX_DECODE_BLOCKS_PER_HEAD = 1024;

const registerKernel = (pieceTokens: number): DecodeKernel => ({
  name: 'attention_decode',
  file: 'paged-attention/decode.cu',
  launch: ({ kvHeadCount, decodeItems }) => ({
    grid: [kvHeadCount, Math.min(decodeItems, MAX_DECODE_BLOCKS_PER_HEAD), 1],
    blockThreads: 128,
    sharedBytes: 0,
    stageCount: 0,
  }),
  pieces: () => fixedPieces(pieceTokens),
});

/**
 * Shapes of the ring kernel: cached tokens of a piece, warps that take cache blocks, blocks that share a multiprocessor, and the
 * bytes of each one's ring. A piece costs some microseconds beside its tokens; grouped queries have fewer key heads to spread over
 * the device, and their registers leave room for one block.
 */
const RING_SHAPES = {
  single: { pieceTokens: 512, warps: 6, blocksPerMultiprocessor: 2, ringBytes: 96 << 10 },
  grouped: { pieceTokens: 256, warps: 8, blocksPerMultiprocessor: 1, ringBytes: 128 << 10 },
} as const;
const MAX_RING_STAGES = 32;

const ringShape = (group: number) => RING_SHAPES[group === 1 ? 'single' : 'grouped'];

/** Slots of a block's ring: a multiple of the warps that take cache blocks from it, see decode-ring.cu. */
export function ringStageCount(stageBytes: number, ringBytes: number, warps: number): number {
  const fitting = Math.max(1, Math.min(MAX_RING_STAGES, Math.floor(ringBytes / stageBytes)));
  return fitting < warps ? fitting : Math.floor(fitting / warps) * warps;
}

/** Pieces of a row of few in the ring kernel, which has a block for each: shorter ones fill the device, longer ones take less beside. */
const FEW_RING_PIECES = { count: 4, least: 256 } as const;

/** Pieces of the ring kernel. @param most tokens of a piece */
function ringPieces(group: number, blockTokens: number, most: number): DecodeKernel['pieces'] {
  const fixed = fixedPieces(wholeBlocks(most, blockTokens));
  const { count, least } = FEW_RING_PIECES;
  const ofFew = { ...fixed, count, minTokens: wholeBlocks(least, blockTokens), stepTokens: blockTokens };
  return (tokens) => (group === 1 && tokens <= FEW_TOKENS ? ofFew : fixed);
}

function ringKernel(group: number, pieces: DecodeKernel['pieces']): DecodeKernel {
  const { warps, blocksPerMultiprocessor, ringBytes } = ringShape(group);
  return {
    name: 'attention_decode_ring',
    file: 'paged-attention/decode-ring.cu',
    launch: ({ kvHeadCount, decodeItems, headBlockBytes }, { multiprocessorCount }) => {
      const stageCount = ringStageCount(headBlockBytes, ringBytes, warps);
      const blocks = multiprocessorCount * blocksPerMultiprocessor;
      return {
        grid: [Math.min(decodeItems * kvHeadCount, blocks), 1, 1],
        blockThreads: (warps + 1) * 32,
        sharedBytes: stageCount * headBlockBytes,
        stageCount,
      };
    },
    pieces,
  };
}

/** Tokens of a slot of decode-int8.cu: places of a product. */
const INT8_SLOT_TOKENS = 32;
const INT8_SLOTS = 2;
const INT8_BLOCKS_PER_MULTIPROCESSOR = 2;
/** Bytes of the slots of all warps of a block, of which two share a multiprocessor. */
const INT8_SLOT_BYTES = 104 << 10;
/** Cached tokens of pieces: each takes time beside its tokens, and grouped queries have fewer key heads to spread over the device. */
const INT8_PIECES = {
  single: { least: 256, most: 2048, leastOfMany: 512, mostOfMany: 1024 },
  grouped: { least: 128, most: 2048, leastOfMany: 128, mostOfMany: 128 },
} as const;
/** Warps of a block by whether one set of four heads holds all that share a key head; two need twice the registers. */
const INT8_MAX_WARPS = { oneSet: 6, moreSets: 4 } as const;

/** Largest heads for whose sums a block has room. */
const MAX_TEAM_HEAD_DIM = 128;

interface Int8Shape extends Pick<DecodeKernels, 'defines'> {
  readonly kvHeadCount: number;
  /** Whether warps of a block can share a unit. */
  readonly hasTeams: boolean;
  readonly blockTokens: number;
  readonly lengths: PieceLengths;
  readonly warps: number;
  /** Bytes of the slots of a warp. */
  readonly warpBytes: number;
}

/** Shape of the kernel on tensor cores, for an int8 cache whose heads and blocks fill their operands. */
function int8Shape(
  { kvDtype, dims }: PlanOfDecode,
  group: number,
  blockTokens: number,
): Int8Shape | undefined {
  const slotTokens = blockTokens === 64 ? blockTokens : INT8_SLOT_TOKENS;
  const isFilled = dims.headDim % 64 === 0 && blockTokens % 8 === 0 && slotTokens % blockTokens === 0;
  if (kvDtype !== 'i8' || !isFilled) return undefined;
  const warpBytes = INT8_SLOTS * slotTokens * 2 * kvVectorBytes(kvDtype, dims.headDim);
  const maxWarps = INT8_MAX_WARPS[group <= 4 ? 'oneSet' : 'moreSets'];
  const warps = Math.max(1, Math.min(maxWarps, Math.floor(INT8_SLOT_BYTES / warpBytes)));
  const hasTeams = group === 1 && dims.headDim <= MAX_TEAM_HEAD_DIM;
  return {
    kvHeadCount: dims.kvHeadCount,
    hasTeams,
    blockTokens,
    lengths: INT8_PIECES[group === 1 ? 'single' : 'grouped'],
    defines: {
      INT8_SLOT_BLOCKS: slotTokens / blockTokens,
      INT8_WARPS: warps,
      INT8_TEAMS: hasTeams ? 1 : 0,
    },
    warps,
    warpBytes,
  };
}

/** Warps of the device, units of a step of `tokens` tokens, and warps of a team that shares each. */
function int8Warps(
  { warps, kvHeadCount, hasTeams }: Int8Shape,
  tokens: number,
  { multiprocessorCount }: CudaTarget,
): { readonly all: number; readonly team: number; readonly units: number } {
  const all = multiprocessorCount * INT8_BLOCKS_PER_MULTIPROCESSOR * warps;
  const units = rowClass(tokens) * kvHeadCount;
  return { all, team: hasTeams ? teamWarps(all / units, warps) : 1, units };
}

/** Warps of a team by how many each unit could have: a block's warps are whole teams. */
function teamWarps(perUnit: number, blockWarps: number): number {
  // In two turns of all teams, where one leaves warps without a unit or takes long for each.
  const most = perUnit >= 2 ? perUnit : perUnit >= 0.5 ? Math.max(2, 2 * perUnit) : 1;
  const sizes = Array.from({ length: Math.min(blockWarps, Math.floor(most)) }, (_, i) => i + 1);
  return sizes.findLast((size) => blockWarps % size === 0) ?? 1;
}

const int8Kernel = (shape: Int8Shape): DecodeKernel => ({
  name: 'attention_decode_int8',
  file: 'paged-attention/decode-int8.cu',
  launch({ kvHeadCount, decodeItems }, target, tokens) {
    const blocks = target.multiprocessorCount * INT8_BLOCKS_PER_MULTIPROCESSOR;
    const { team } = int8Warps(shape, tokens, target);
    return {
      grid: [Math.min(decodeItems * kvHeadCount, blocks), 1, 1],
      blockThreads: shape.warps * 32,
      sharedBytes: shape.warps * shape.warpBytes,
      stageCount: 0,
      ...(team > 1 && { teams: { kernel: 'attention_decode_int8_teams', warps: team } }),
    };
  },
  pieces(tokens, target) {
    const { all, team, units } = int8Warps(shape, tokens, target);
    const { lengths, blockTokens } = shape;
    return fillingPieces({ warps: all, teamWarps: team, units, lengths, blockTokens });
  },
});

/** Rope, cache append and attention for rows with one new token, in a step of `tokens` tokens. */
export function decodeLaunch(
  kernels: Pick<DecodeKernels, 'few' | 'many'>,
  tokens: number,
  problem: AttentionProblem,
  target: CudaTarget,
  o: AttentionOperands,
): KernelLaunch {
  const kernel = decodeKernelOf(kernels, tokens);
  const { stageCount, teams, ...shape } = kernel.launch(problem, target, tokens);
  const { blockStride, kvHeadCount, maxBlocks, window } = problem;
  return {
    unit: 'attention',
    kernel: teams?.kernel ?? kernel.name,
    ...shape,
    args: DECODE_ARGS.of({
      qkv: o.qkv,
      cache: o.cache,
      out: o.out,
      cosTable: o.cosTable,
      sinTable: o.sinTable,
      blockTables: o.blockTables,
      items: o.decodeItems,
      itemCount: o.itemCount,
      partials: o.partials,
      arrivals: o.arrivals,
      blockStride,
      kvHeads: kvHeadCount,
      maxBlocks,
      stageCount,
      teamWarps: teams?.warps ?? 1,
      window,
    }),
  };
}
