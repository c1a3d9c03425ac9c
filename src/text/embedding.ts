/** Embeddings of texts: requests for them, and the vectors that hidden states make. */
import type { EmbeddingTraits } from '../core/embedding.js';
import type { GenerateRequest, ModelCard } from '../core/generate.js';
import { checkNumber, refuse } from './request/ranges.js';

/**
 * The request as the batcher can run it: an embedding only reads its prompt.
 * @throws {AloftError} REQUEST_INVALID for text of a model that embeds, and embeddings of one that generates
 */
export function asTokenWork(
  request: GenerateRequest,
  { name, embedding: traits }: ModelCard,
): GenerateRequest {
  const { embedding } = request;
  if (embedding === undefined && traits === undefined) return request;
  if (embedding === undefined)
    throw refuse(
      `The engine of ${name} makes embeddings and no text; ask for embeddings, or build the model without '--task embed'.`,
    );
  if (traits === undefined)
    throw refuse(
      `The engine of ${name} generates text and makes no embeddings; build the model with '--task embed'.`,
    );
  const range = { isInteger: true, min: 1, max: traits.columns };
  checkNumber('embedding.dimensions', embedding.dimensions, range);
  return { ...request, maxOutputTokens: 0, returnContextLogits: true };
}

/**
 * @param states [tokens, columns] hidden states of a text
 * @param dimensions numbers to keep, the first ones; for models that are trained for it
 * @returns [dimensions]
 */
export function pooled(
  states: Float32Array,
  { columns, pooling, isNormalised }: EmbeddingTraits,
  dimensions = columns,
): Float32Array {
  const tokenCount = states.length / columns;
  const tokens = { cls: [0, 1], last: [tokenCount - 1, tokenCount], mean: [0, tokenCount] } as const;
  const [first, end] = tokens[pooling];
  const sums = new Float64Array(dimensions);
  for (let token = first; token < end; token++)
    for (let column = 0; column < dimensions; column++) sums[column]! += states[token * columns + column]!;
  const length = Math.sqrt(sums.reduce((total, value) => total + value * value, 0));
  const divisor = isNormalised ? length || 1 : end - first;
  return Float32Array.from(sums, (value) => value / divisor);
}
