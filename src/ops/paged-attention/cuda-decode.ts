/** The CUDA kernels of decode attention: which one a plan gets, and its launches. Pure. */
import { isQuantisedKv, kvVectorBytes } from '../../plan/kv-dtype.js';
import type { Plan } from '../../plan/plan.js';
import { type CudaTarget, hasBulkRings } from '../cuda/capability.js';
import type { KernelLaunch } from '../cuda/launch.js';
import { DECODE_ARGS } from './cuda-args.js';
import type { AttentionOperands, AttentionProblem } from './cuda-problem.js';

/** A kernel of decode attention. */
interface DecodeKernel {
  readonly name:
    | 'attention_decode'
    | 'attention_decode_ring'
    | 'attention_decode_int8'
    | 'attention_decode_tensor';
  readonly file: string;
  launch(problem: AttentionProblem, target: CudaTarget): Shape;
}

/** The part of a launch that kernels differ in. */
interface Shape extends Pick<KernelLaunch, 'grid' | 'blockThreads' | 'sharedBytes'> {
  readonly stageCount: number;
}

/** The kernels of decode attention that a plan gets on a device. */
export interface DecodeKernels {
  /** For steps of up to {@link FEW_TOKENS} tokens, and for those of more. */
  readonly few: DecodeKernel;
  readonly many: DecodeKernel;
  /** Cached tokens in one piece of a row, whole cache blocks. */
  readonly splitTokens: number;
  /** Constants that they are compiled with. */
  readonly defines: Readonly<Record<string, number>>;
}

/** The lowest class of row-classes.ts, so that a step has one class for all of its kernels. */
export const FEW_TOKENS = 8;

type PlanOfDecode = Pick<Plan, 'kvDtype' | 'dims'>;

/** The kernels of decode attention that a plan gets on a device: the one place that decides. */
export function decodeKernelsFor(
  plan: PlanOfDecode,
  computeCapability: number,
  blockTokens: number,
): DecodeKernels {
  const group = plan.dims.headCount / plan.dims.kvHeadCount;
  if (!hasBulkRings(computeCapability)) {
    // A piece is held in registers: fewer tokens when several query heads share them.
    const splitTokens = group >= 4 ? 64 : 128;
    return { few: REGISTER_KERNEL, many: REGISTER_KERNEL, splitTokens, defines: {} };
  }
  const int8 = int8Shape(plan, group, blockTokens);
  const ring = ringKernel(group);
  // With few rows the warps of a block share a row's tokens.
  if (int8 !== undefined) {
    const { splitTokens, defines } = int8;
    return { few: ring, many: int8Kernel(int8), splitTokens, defines };
  }
  const { pieceTokens } = ringShape(group);
  const splitTokens = wholeBlocks(pieceTokens, blockTokens);
  const tensor = tensorShape(plan, group, blockTokens);
  if (tensor === undefined) return { few: ring, many: ring, splitTokens, defines: {} };
  return { few: ring, many: tensorKernel(tensor), splitTokens, defines: tensor.defines };
}

const MAX_DECODE_BLOCKS_PER_HEAD = 1024;

const REGISTER_KERNEL: DecodeKernel = {
  name: 'attention_decode',
  file: 'paged-attention/decode.cu',
  launch: ({ kvHeadCount, decodeItems }) => ({
    grid: [kvHeadCount, Math.min(decodeItems, MAX_DECODE_BLOCKS_PER_HEAD), 1],
    blockThreads: 128,
    sharedBytes: 0,
    stageCount: 0,
  }),
};

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

const wholeBlocks = (tokens: number, blockTokens: number): number =>
  blockTokens * Math.max(1, Math.floor(tokens / blockTokens));

function ringKernel(group: number): DecodeKernel {
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
  };
}

/** Tokens of a slot of decode-int8.cu: places of a product. */
const INT8_SLOT_TOKENS = 32;
const INT8_SLOTS = 2;
const INT8_BLOCKS_PER_MULTIPROCESSOR = 2;
/** Bytes of the slots of all warps of a block, of which two share a multiprocessor. */
const INT8_SLOT_BYTES = 104 << 10;
/** Cached tokens of a piece: grouped queries have fewer key heads to spread over the warps of the device. */
const INT8_PIECE_TOKENS = { single: 512, grouped: 128 } as const;
/** Cache blocks of a piece at most: each lane of a warp knows the place of one. */
const INT8_PIECE_BLOCKS = 32;
/** Warps of a block by whether one set of four heads holds all that share a key head; two need twice the registers. */
const INT8_MAX_WARPS = { oneSet: 6, moreSets: 4 } as const;

interface Int8Shape extends Pick<DecodeKernels, 'splitTokens' | 'defines'> {
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
  const pieceTokens = INT8_PIECE_TOKENS[group === 1 ? 'single' : 'grouped'];
  return {
    splitTokens: wholeBlocks(Math.min(pieceTokens, INT8_PIECE_BLOCKS * blockTokens), blockTokens),
    defines: { INT8_SLOT_BLOCKS: slotTokens / blockTokens, INT8_WARPS: warps },
    warps,
    warpBytes,
  };
}

const int8Kernel = ({ warps, warpBytes }: Int8Shape): DecodeKernel => ({
  name: 'attention_decode_int8',
  file: 'paged-attention/decode-int8.cu',
  launch: ({ kvHeadCount, decodeItems }, { multiprocessorCount }) => ({
    grid: [Math.min(decodeItems * kvHeadCount, multiprocessorCount * INT8_BLOCKS_PER_MULTIPROCESSOR), 1, 1],
    blockThreads: warps * 32,
    sharedBytes: warps * warpBytes,
    stageCount: 0,
  }),
});

/** Sizes of heads that fill the operands of decode-tensor.cu. */
const TENSOR_HEAD_DIMS: readonly number[] = [64, 128, 256];
/** Query heads that share a key head: more would need a third set of columns, and registers have no room for their sums. */
const TENSOR_MAX_GROUP = 16;
const TENSOR_MAX_GROUP_DIMS = 2048;
/** Slots of a warp, and their tokens: so many that they have 8 KiB, which is one step of products with heads of 128. */
const TENSOR_SLOTS = 3;
const tensorSlotTokens = (headDim: number): number => (headDim < 128 ? 32 : 16);
/** Bytes of the slots of all warps of a block, which has a multiprocessor to itself; and warps, two a quarter of it. */
const TENSOR_SLOT_BYTES = 192 << 10;
const TENSOR_MAX_WARPS = 8;

interface TensorShape extends Pick<DecodeKernels, 'defines'> {
  readonly warps: number;
  /** Bytes of the slots of a warp. */
  readonly warpBytes: number;
}

/** Shape of the kernel on tensor cores for a cache of activations, where several query heads share a key head. */
function tensorShape(
  { kvDtype, dims: { headDim } }: PlanOfDecode,
  group: number,
  blockTokens: number,
): TensorShape | undefined {
  const isFilled = TENSOR_HEAD_DIMS.includes(headDim) && blockTokens % 8 === 0;
  const fits = group > 1 && group <= TENSOR_MAX_GROUP && group * headDim <= TENSOR_MAX_GROUP_DIMS;
  if (isQuantisedKv(kvDtype) || !isFilled || !fits) return undefined;
  const tokens = tensorSlotTokens(headDim);
  const warpBytes = TENSOR_SLOTS * tokens * 2 * kvVectorBytes(kvDtype, headDim);
  const warps = Math.min(TENSOR_MAX_WARPS, Math.floor(TENSOR_SLOT_BYTES / warpBytes));
  return {
    defines: { TENSOR_WARPS: warps, TENSOR_SLOTS, TENSOR_TOKENS: tokens },
    warps,
    warpBytes,
  };
}

const tensorKernel = ({ warps, warpBytes }: TensorShape): DecodeKernel => ({
  name: 'attention_decode_tensor',
  file: 'paged-attention/decode-tensor.cu',
  launch: ({ kvHeadCount, decodeItems }, { multiprocessorCount }) => ({
    grid: [Math.min(decodeItems * kvHeadCount, multiprocessorCount), 1, 1],
    blockThreads: warps * 32,
    sharedBytes: warps * warpBytes,
    stageCount: 0,
  }),
});

/** Rope, cache append and attention for rows with one new token, in a step of `tokens` tokens. */
export function decodeLaunch(
  { few, many }: Pick<DecodeKernels, 'few' | 'many'>,
  tokens: number,
  problem: AttentionProblem,
  target: CudaTarget,
  o: AttentionOperands,
): KernelLaunch {
  const kernel = tokens <= FEW_TOKENS ? few : many;
  const { stageCount, ...shape } = kernel.launch(problem, target);
  const { blockStride, kvHeadCount, maxBlocks, window } = problem;
  return {
    unit: 'attention',
    kernel: kernel.name,
    ...shape,
    args: DECODE_ARGS.of({
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
    }),
  };
}
