/**
 * Sizes known only when a step runs: `tokens` is every token of the packed batch, `logits` the tokens whose logits
 * are wanted (one a sequence, more when prompt logits are asked for).
 */
export type SymbolicDim = 'tokens' | 'logits';

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
