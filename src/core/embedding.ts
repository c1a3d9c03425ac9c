/** Embeddings: one vector for a text, made of the hidden states of its tokens. */

export const POOLINGS = ['mean', 'last', 'cls'] as const;
/** `mean` of all tokens, or the `last` or the first (`cls`) one. */
export type Pooling = (typeof POOLINGS)[number];

/** Way in which a model makes embeddings. */
export interface EmbeddingTraits {
  /** Numbers of an embedding. */
  readonly columns: number;
  readonly pooling: Pooling;
  /** Embeddings have length 1. */
  readonly isNormalised: boolean;
}
