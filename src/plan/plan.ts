/**
 * The plan: what one rank computes for one packed batch of tokens, as an immutable list of ops over named buffers
 * and named weights. Model files make it, passes rewrite it, executors run it. It is plain JSON.
 */
import type { PlanDims } from './dims.js';
import type { KvDtype } from './kv-dtype.js';
import type { BufferName, WeightName } from './names.js';
import type { PlanOp } from './ops/index.js';
import type { WeightFormat } from './weight-format.js';

export type * from './dims.js';
export type * from './names.js';
export type * from './ops/index.js';

export interface PlanWeight {
  /** Logical shape on this rank, [out, in] for linears. */
  readonly shape: readonly number[];
  /** Format in which it is stored. Quantise passes change it, nothing else does. */
  readonly format: WeightFormat;
  /** Recipe by which the builder makes it from checkpoint tensors. */
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
  /** Order of the rows of each head in the checkpoint. Absent: pairs of a rotation as {@link RopeParams} wants them. */
  readonly headRows?: HeadRows;
  /** Added to every value. Absent: 0. */
  readonly offset?: number;
}

/**
 * Order of the rows of a head in a checkpoint that rotates part of a head, or neighbours: which rows turn together. The builder
 * reorders them, which changes no score as queries and keys are reordered alike.
 */
export interface HeadRows {
  readonly headDim: number;
  /** Rows that are rotated, the first ones of a head. */
  readonly rotaryDim: number;
  /** Pairs (2i, 2i + 1) rather than (i, i + rotaryDim / 2). */
  readonly isInterleaved: boolean;
}

/** Parts concatenated along axis 0, then zero rows up to the weight's own shape (padded vocabulary). */
interface WeightSource {
  readonly parts: readonly WeightPart[];
  /** Ones on the diagonal and zeros elsewhere; there are no parts. */
  readonly isIdentity?: true;
}

export interface Plan {
  readonly architecture: string;
  /** `dtype` of activations on devices that compute in 16 bits; the CPU computes in f32 whatever this says. */
  readonly activationDtype: 'f32' | 'f16' | 'bf16';
  /** Type of the paged cache. The CPU keeps both 16-bit types as f16. */
  readonly kvDtype: KvDtype;
  readonly rank: number;
  readonly worldSize: number;
  readonly dims: PlanDims;
  readonly ops: readonly PlanOp[];
  readonly weights: Readonly<Record<WeightName, PlanWeight>>;
  /** The buffer that holds the results: [logits, result columns or more] f32. */
  readonly logits: BufferName;
  /** Results of a token. Absent: its logits. */
  readonly results?: 'hiddenStates';
}

/** Numbers that a step gives for a token whose results are wanted. */
export function resultColumns({ results, dims }: Plan): number {
  return results === 'hiddenStates' ? dims.hidden : dims.vocabulary;
}
