/** The kernels of decode attention on tensor cores over a cache of activations, for queries that share key heads. Pure. */
import { isQuantisedKv, kvVectorBytes } from '../../plan/kv-dtype.js';
import { rowClass } from '../linear/cuda/row-classes.js';
import type { DecodeKernels, PlanOfDecode } from './cuda-decode-kernel.js';
import { fillingPieces, fixedPieces, wholeBlocks } from './cuda-pieces.js';

/** Sizes of heads that fill the operands of decode-tensor.cu. */
const TENSOR_HEAD_DIMS: readonly number[] = [64, 128, 256];
/** Query heads that share a key head: more would need a third set of columns, and registers have no room for their sums. */
const TENSOR_MAX_GROUP = 16;
const TENSOR_MAX_GROUP_DIMS = 2048;
/** Slots of a warp that takes units by itself, and of one that shares them, beside whose slots the sums of all lie. */
const TENSOR_SLOTS = { alone: 3, shared: 2 } as const;
/** Tokens of a slot: so many that it has 8 KiB, which is one step of products with heads of 128. */
const tensorSlotTokens = (headDim: number): number => (headDim < 128 ? 32 : 16);
/** Bytes of the slots of all warps of a block, which has a multiprocessor to itself; and warps, two a quarter of it. */
const TENSOR_SLOT_BYTES = 192 << 10;
const TENSOR_MAX_WARPS = 8;
/** Cached tokens of pieces: of few rows, whose length is fixed, and of many. */
const TENSOR_PIECE_TOKENS = 512;
const TENSOR_PIECES = { least: 256, most: 1024, leastOfMany: 512, mostOfMany: 1024 } as const;

/** The kernels for a cache whose heads and blocks fill the operands; undefined for others, and where no queries share a head. */
export function tensorKernels(
  { kvDtype, dims: { headDim, kvHeadCount } }: PlanOfDecode,
  group: number,
  blockTokens: number,
): DecodeKernels | undefined {
  const isFilled = TENSOR_HEAD_DIMS.includes(headDim) && blockTokens % 8 === 0;
  const fits = group > 1 && group <= TENSOR_MAX_GROUP && group * headDim <= TENSOR_MAX_GROUP_DIMS;
  if (isQuantisedKv(kvDtype) || !isFilled || !fits) return undefined;
  const tokens = tensorSlotTokens(headDim);
  const slotBytes = tokens * 2 * kvVectorBytes(kvDtype, headDim);
  const warps = Math.min(TENSOR_MAX_WARPS, Math.floor(TENSOR_SLOT_BYTES / (TENSOR_SLOTS.alone * slotBytes)));
  const kernel = (sharedBytes: number): Pick<DecodeKernels['few'], 'file' | 'launch'> => ({
    file: 'paged-attention/decode-tensor.cu',
    launch: ({ kvHeadCount: heads, decodeItems }, { multiprocessorCount }) => ({
      grid: [Math.min(decodeItems * heads, multiprocessorCount), 1, 1],
      blockThreads: warps * 32,
      sharedBytes,
      stageCount: 0,
    }),
  });
  return {
    few: {
      name: 'attention_decode_tensor_shared',
      ...kernel(warps * (TENSOR_SLOTS.shared * slotBytes + sumsBytes(group, headDim)) + FLAG_BYTES),
      pieces: () => fixedPieces(wholeBlocks(TENSOR_PIECE_TOKENS, blockTokens)),
    },
    many: {
      name: 'attention_decode_tensor',
      ...kernel(warps * TENSOR_SLOTS.alone * slotBytes),
      pieces: (stepTokens, { multiprocessorCount }) =>
        fillingPieces({
          warps: multiprocessorCount * warps,
          units: rowClass(stepTokens) * kvHeadCount,
          lengths: TENSOR_PIECES,
          blockTokens,
        }),
    },
    defines: {
      TENSOR_WARPS: warps,
      TENSOR_SLOTS: TENSOR_SLOTS.alone,
      TENSOR_SHARED_SLOTS: TENSOR_SLOTS.shared,
      TENSOR_TOKENS: tokens,
    },
  };
}

/** Bytes of `WarpSums` of decode-merge.cuh: the sums of a warp in f32, and a flag for all. */
const sumsBytes = (group: number, headDim: number): number => 4 * group * (headDim + 2);
const FLAG_BYTES = 4;
