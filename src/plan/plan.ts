/**
 * The plan: what one rank computes for one packed batch of tokens, as an immutable list of ops over named buffers
 * and named weights. Model files make it, passes rewrite it, executors run it. It is plain JSON.
 */
import type { KvDtype } from './kv-dtype.js';
import type { WeightFormat } from './weight-format.js';

/**
 * Sizes known only when a step runs: `tokens` is every token of the packed batch, `logits` the tokens whose logits
 * are wanted (one a sequence, more when prompt logits are asked for).
 */
export type SymbolicDim = 'tokens' | 'logits';
export type Dim = number | SymbolicDim;

/** Names a buffer of activations. */
export type BufferName = string;
/** Names a weight in the engine, TensorRT-LLM style: `layers.0.attention.qkv.weight`. */
export type WeightName = string;

/** How rotary embedding turns a position into angles; from config.json's rope_theta and rope_scaling. */
export type RopeScaling =
  | { readonly type: 'none' }
  | { readonly type: 'linear'; readonly factor: number }
  | { readonly type: 'dynamic'; readonly factor: number; readonly originalMaxPositions: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    };

export interface RopeParams {
  readonly theta: number;
  readonly scaling: RopeScaling;
}

/** out[t] = table[tokenIds[t]]                                  table [vocab, hidden] -> out [tokens, hidden] */
export interface EmbeddingOp {
  readonly kind: 'embedding';
  readonly table: WeightName;
  readonly out: BufferName;
}

/** out = x / rms(x) * weight                                    x, out [rows, hidden], weight [hidden] */
export interface RmsNormOp {
  readonly kind: 'rmsNorm';
  readonly x: BufferName;
  readonly weight: WeightName;
  readonly epsilon: number;
  readonly out: BufferName;
}

/** residual += delta; out = rmsNorm(residual)                    all [rows, hidden]; made by the fuse pass */
export interface AddRmsNormOp {
  readonly kind: 'addRmsNorm';
  readonly residual: BufferName;
  readonly delta: BufferName;
  readonly weight: WeightName;
  readonly epsilon: number;
  readonly out: BufferName;
}

/** residual += delta                                             [rows, hidden] */
export interface AddOp {
  readonly kind: 'add';
  readonly residual: BufferName;
  readonly delta: BufferName;
}

/** out = x · weightᵀ (+ bias)                                    x [rows, in], weight [outFeatures, in] -> out [rows, outFeatures] */
export interface LinearOp {
  readonly kind: 'linear';
  readonly x: BufferName;
  readonly weight: WeightName;
  readonly bias: WeightName | null;
  readonly out: BufferName;
  /** Logits are f32 whatever the activations are. */
  readonly outDtype: 'activation' | 'f32';
}

/** Rotates q and k in place and stores k and v of the new tokens into the paged cache of `layer`.  qkv [tokens, (heads + 2 kvHeads) * headDim] */
export interface RopeAppendOp {
  readonly kind: 'ropeAppend';
  readonly qkv: BufferName;
  readonly layer: number;
  readonly rope: RopeParams;
}

/** Causal attention of the new tokens over the paged cache of `layer`.  q part of qkv -> out [tokens, heads * headDim] */
export interface PagedAttentionOp {
  readonly kind: 'pagedAttention';
  readonly qkv: BufferName;
  readonly layer: number;
  readonly out: BufferName;
}

/** out = silu(gateUp[:, :inter]) * gateUp[:, inter:]               gateUp [tokens, 2 * inter] -> out [tokens, inter] */
export interface SwigluOp {
  readonly kind: 'swiglu';
  readonly gateUp: BufferName;
  readonly out: BufferName;
}

/** out[i] = x[logitTokens[i]]                                     x [tokens, hidden] -> out [logits, hidden] */
export interface GatherOp {
  readonly kind: 'gather';
  readonly x: BufferName;
  readonly out: BufferName;
}

/** x = sum over ranks of x; made by the shard pass. */
export interface AllReduceOp {
  readonly kind: 'allReduce';
  readonly x: BufferName;
}

/**
 * out = columns of all ranks side by side, without what pads the last ranks; made by the shard pass for the logits.
 * x [logits, ceil(columns / ranks)] -> out [logits, columns]
 */
export interface AllGatherOp {
  readonly kind: 'allGather';
  readonly x: BufferName;
  readonly out: BufferName;
  /** Kept columns: the vocabulary of the model. */
  readonly columns: number;
}

export type PlanOp =
  | EmbeddingOp
  | RmsNormOp
  | AddRmsNormOp
  | AddOp
  | LinearOp
  | RopeAppendOp
  | PagedAttentionOp
  | SwigluOp
  | GatherOp
  | AllReduceOp
  | AllGatherOp;

export interface PlanWeight {
  /** Logical shape on this rank, [out, in] for linears. */
  readonly shape: readonly number[];
  /** How it is stored. Quantise passes change it, nothing else does. */
  readonly format: WeightFormat;
  /** How the builder makes it from checkpoint tensors. */
  readonly source: WeightSource;
}

/** A part of one checkpoint tensor: rows or columns [start, end) of axis 0 or 1. */
export interface TensorSlice {
  readonly axis: 0 | 1;
  readonly start: number;
  readonly end: number;
}

export interface WeightPart {
  /** Name in the checkpoint. */
  readonly tensor: string;
  /** Shape that the checkpoint must have. */
  readonly shape: readonly number[];
  /** Kept part; null keeps all. */
  readonly slice: TensorSlice | null;
}

/** Parts concatenated along axis 0, then zero rows up to the weight's own shape (padded vocabulary). */
export interface WeightSource {
  readonly parts: readonly WeightPart[];
}

/** Sizes that kernels and the KV cache need. Per rank where it says so. */
export interface PlanDims {
  readonly layerCount: number;
  readonly hidden: number;
  /** Query heads on this rank. */
  readonly headCount: number;
  /** Key/value heads on this rank. */
  readonly kvHeadCount: number;
  readonly headDim: number;
  /** FFN width on this rank. */
  readonly intermediate: number;
  /** Vocabulary of the model, over all ranks. */
  readonly vocabulary: number;
  readonly maxPositions: number;
}

export interface Plan {
  readonly architecture: string;
  /** `dtype` of activations on devices that compute in 16 bits; the CPU computes in f32 whatever this says. */
  readonly activationDtype: 'f32' | 'f16' | 'bf16';
  /** Of the paged cache. The CPU keeps both 16-bit types as f16. */
  readonly kvDtype: KvDtype;
  readonly rank: number;
  readonly worldSize: number;
  readonly dims: PlanDims;
  readonly ops: readonly PlanOp[];
  readonly weights: Readonly<Record<WeightName, PlanWeight>>;
  /** The buffer that holds the logits: [logits, vocabulary] f32. */
  readonly logits: BufferName;
}
