/** Small random models that reach every kernel of a GPU between them. */
import { INT8_PER_CHANNEL, NAMED_FORMATS } from '../../plan/weight-format.js';
import { SMALL_SHAPE, type TestModelShape } from '../../run/executor/testing/test-model.js';

const DIMS = {
  ...SMALL_SHAPE.dims,
  hidden: 128,
  headCount: 4,
  kvHeadCount: 4,
  headDim: 32,
  intermediate: 352,
  vocabulary: 1000,
};

export const F16: TestModelShape = {
  ...SMALL_SHAPE,
  dims: DIMS,
  format: { type: 'dense', dtype: 'f16' },
  dense: 'f16',
  fused: true,
};

export const INT8: TestModelShape = { ...F16, format: INT8_PER_CHANNEL };

export const FP8: TestModelShape = { ...F16, format: NAMED_FORMATS.fp8 };

/** Inputs of linears rounded to 8 bits in steps of many tokens. */
export const INT8_INPUTS: TestModelShape = { ...INT8, inputBits: 8 };
export const FP8_INPUTS: TestModelShape = { ...FP8, inputBits: 8 };

/** Heads of 64, each with keys of its own. */
export const OWN_KEYS: TestModelShape = {
  ...INT8,
  dims: { ...DIMS, hidden: 256, headDim: 64, intermediate: 704 },
};

/** A table in INT8. */
export const INT8_TABLE: TestModelShape = { ...INT8, table: INT8_PER_CHANNEL };

export const BIASED: TestModelShape = { ...F16, bias: true };

/** Groups of 128 and of 32 inputs, the last of a row cut short. */
export const INT4: TestModelShape = { ...F16, format: NAMED_FORMATS.int4 };
export const INT4_G32: TestModelShape = { ...F16, format: NAMED_FORMATS.int4_g32 };
export const INT4_G32_ZEROS: TestModelShape = { ...F16, format: NAMED_FORMATS.int4_g32_zeros };

export const BF16: TestModelShape = { ...F16, format: { type: 'dense', dtype: 'bf16' }, dense: 'bf16' };

/** Grouped queries, and sizes that are no multiple of any tile. */
export const ODD: TestModelShape = {
  ...BF16,
  dims: {
    ...DIMS,
    hidden: 384,
    headCount: 8,
    kvHeadCount: 2,
    headDim: 48,
    intermediate: 200,
    vocabulary: 1003,
  },
};

/** Layers as in Gemma: windows, soft caps, norms of heads and of what blocks add, GeGLU. */
export const GEMMA: TestModelShape = { ...ODD, isGemma: true };

/** The same with heads of 64, f16 and INT8 weights. */
export const GEMMA_INT8: TestModelShape = {
  ...INT8,
  isGemma: true,
  dims: { ...DIMS, hidden: 256, kvHeadCount: 2, headDim: 64, intermediate: 704 },
};

/** Four experts in place of each feed-forward network, dense and quantised. */
export const MIXTURE: TestModelShape = { ...F16, isMixture: true };
export const MIXTURE_FP8: TestModelShape = { ...MIXTURE, format: FP8.format };
export const MIXTURE_INT8: TestModelShape = { ...ODD, format: INT8.format, isMixture: true };
/** Groups of 128 inputs, and of 32 with zeros; the last tile of a row cut short. */
export const MIXTURE_INT4: TestModelShape = { ...MIXTURE, format: INT4.format };
export const MIXTURE_INT4_ZEROS: TestModelShape = {
  ...MIXTURE_INT8,
  format: NAMED_FORMATS.int4_g32_zeros,
};

/** Heads of a size for which compute capability 9.0 has a prefill kernel of its own. */
export const HEADS_OF_64: TestModelShape = {
  ...F16,
  dims: { ...DIMS, hidden: 256, kvHeadCount: 2, headDim: 64, intermediate: 704 },
};

/** Rows of several tiles of int4, and bf16 activations. */
export const FP8_IN_BF16: TestModelShape = { ...BF16, format: FP8.format };

export const INT4_IN_BF16: TestModelShape = {
  ...BF16,
  format: INT4.format,
  dims: { ...DIMS, hidden: 512, headCount: 8, kvHeadCount: 2, headDim: 64, intermediate: 1376 },
};

/** The same with the other size, bf16 activations and INT8 weights. */
export const HEADS_OF_128: TestModelShape = {
  ...BF16,
  format: INT8.format,
  dims: { ...DIMS, hidden: 512, headCount: 4, kvHeadCount: 1, headDim: 128, intermediate: 1376 },
};
