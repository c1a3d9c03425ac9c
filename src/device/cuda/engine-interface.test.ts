/**
 * An engine holds kernels that were compiled when it was built. What they are launched with must be what they were compiled for:
 * the fields of their arguments, and the constants that the launches share with them.
 */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { PlanDims } from '../../plan/plan.js';
import { ADD_ARGS, ADD_BIAS_ARGS } from '../../ops/add/cuda.js';
import { COPY_WORDS_ARGS } from '../../ops/cuda/copy-words.js';
import { EMBEDDING_ARGS } from '../../ops/embedding/cuda.js';
import { EXPERT_ARGS, ROUTE_ARGS } from '../../ops/experts/cuda.js';
import {
  ALL_GATHER_ARGS,
  ALL_REDUCE_ARGS,
  REDUCE_NORM_ARGS,
  TWO_SHOT_ARGS,
} from '../../ops/exchange/cuda.js';
import { GATHER_ARGS } from '../../ops/gather/cuda.js';
import { GEGLU_ARGS } from '../../ops/geglu/cuda.js';
import { HEAD_NORM_ARGS } from '../../ops/head-norm/cuda.js';
import {
  DEQUANTISE_ARGS,
  ORDER_INPUT_ARGS,
  RING_ARGS,
  ROUND_INPUT_ARGS,
  STREAM_ARGS,
  WIDE_ARGS,
  WIDE8_ARGS,
} from '../../ops/linear/cuda/args.js';
import {
  DECODE_ARGS,
  EXPAND_ARGS,
  PREFILL_ARGS,
  WGMMA_PREFILL_ARGS,
} from '../../ops/paged-attention/cuda-args.js';
import { prefillKernelFor } from '../../ops/paged-attention/cuda.js';
import { decodeKernelsFor } from '../../ops/paged-attention/cuda-decode.js';
import { DECODE_ITEM_WORDS } from '../../ops/paged-attention/cuda-pieces.js';
import { RMS_NORM_ARGS, RMS_NORM_CODES_ARGS } from '../../ops/rms-norm/cuda.js';
import { ROPE_ARGS, ropeAppendLaunch } from '../../ops/rope/cuda.js';
import { CUDA_SAMPLE_SLOT, SAMPLE_ARGS } from '../../ops/sample/cuda.js';
import { SOFT_CAP_ARGS } from '../../ops/soft-cap/cuda.js';
import { SWIGLU_ARGS } from '../../ops/swiglu/cuda.js';
import { CUDA_LAYOUT_VERSION } from './cuda-weight-layout.js';

const STRUCTS = [
  ...[
    ADD_ARGS,
    ADD_BIAS_ARGS,
    EMBEDDING_ARGS,
    EXPERT_ARGS,
    ROUTE_ARGS,
    GATHER_ARGS,
    GEGLU_ARGS,
    HEAD_NORM_ARGS,
  ],
  ...[ALL_GATHER_ARGS, ALL_REDUCE_ARGS, REDUCE_NORM_ARGS, TWO_SHOT_ARGS],
  ...[DEQUANTISE_ARGS, ORDER_INPUT_ARGS, RING_ARGS, STREAM_ARGS, WIDE_ARGS, WIDE8_ARGS, ROUND_INPUT_ARGS],
  ...[
    DECODE_ARGS,
    PREFILL_ARGS,
    WGMMA_PREFILL_ARGS,
    EXPAND_ARGS,
    RMS_NORM_ARGS,
    RMS_NORM_CODES_ARGS,
    ROPE_ARGS,
  ],
  ...[SAMPLE_ARGS, CUDA_SAMPLE_SLOT, SOFT_CAP_ARGS, SWIGLU_ARGS, COPY_WORDS_ARGS],
];
const ROPE_OPERANDS = {
  ...{ qkv: 1, cache: 2, cosTable: 3, sinTable: 4, positions: 5 },
  ...{ tokenRows: 6, rowOffsets: 7, blockTables: 8 },
};
const DIMS = { headCount: 32, kvHeadCount: 32, headDim: 128 } as PlanDims;

test('engines whose kernels take other arguments are refused', () => {
  const structs = STRUCTS.map(({ name, byteLength, fields }) => ({ name, byteLength, fields }));
  const attention = [80, 90].flatMap((capability) =>
    (['f16', 'i8', 'f8e4m3'] as const).flatMap((kvDtype) =>
      [32, 8].map((kvHeadCount) => {
        const plan = { kvDtype, dims: { ...DIMS, kvHeadCount }, ops: [] };
        const { few, many, defines } = decodeKernelsFor(plan, capability, 16);
        return [few.name, many.name, defines, DECODE_ITEM_WORDS, prefillKernelFor(plan, capability, 16)];
      }),
    ),
  );
  const rope = [false, true].map((isQuantised) => {
    const { grid, blockThreads } = ropeAppendLaunch(
      {
        ...{ tokens: 3, headCount: 32, kvHeadCount: 8, headDim: 96, blockStride: 1, maxBlocks: 1 },
        isQuantised,
      },
      ROPE_OPERANDS,
    );
    return [grid, blockThreads];
  });
  const interfaceOfKernels = createHash('sha256')
    .update(JSON.stringify({ structs, attention, rope }))
    .digest('hex')
    .slice(0, 12);
  // Another value: raise CUDA_LAYOUT_VERSION, so that older engines are refused, and write both here.
  expect([CUDA_LAYOUT_VERSION, interfaceOfKernels]).toEqual([10, '23849ce5cabb']);
});
