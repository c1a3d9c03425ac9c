import type { StepInput } from '../../core/step.js';
import type { AttentionScores } from '../../plan/plan.js';
import { rowOf, zeroMatrix, type Matrix } from '../matrix.js';
import type { ReferenceKvCache } from './reference-cache.js';

/**
 * Causal attention with grouped queries (Ainslie et al. 2023, arXiv:2305.13245) over one layer of a paged cache that holds the
 * step's tokens already: per token and head, softmax(q · K / sqrt(headDim)) · V over positions 0 .. its own, or the last of
 * them with a window.
 * @param qkv [tokens, (heads + 2 kvHeads) * headDim] f32, of which only q is read
 * @returns [tokens, heads * headDim] f32
 */
export function pagedAttentionReference(
  qkv: Matrix,
  step: StepInput,
  cache: ReferenceKvCache,
  op: AttentionScores & { readonly layer: number },
): Matrix {
  const { headCount, headDim } = cache.dims;
  const { layer, window = Infinity, softCap } = op;
  const out = zeroMatrix(step.tokenCount, headCount * headDim);
  for (let row = 0; row < step.rowCount; row++) {
    for (let token = step.rowOffsets[row]!; token < step.rowOffsets[row + 1]!; token++) {
      const position = step.positions[token]!;
      const first = Math.max(0, position + 1 - window);
      const offsets = Array.from({ length: position + 1 - first }, (_, i) =>
        cache.offsetOf(step, row, first + i, layer),
      );
      const view = { cache, offsets, softCap };
      for (let head = 0; head < headCount; head++) {
        const query = rowOf(qkv, token).subarray(head * headDim, (head + 1) * headDim);
        rowOf(out, token).set(attendHead(query, head, view), head * headDim);
      }
    }
  }
  return out;
}

interface VisibleTokens {
  readonly cache: ReferenceKvCache;
  /** Offsets of the visible tokens in the cache. */
  readonly offsets: readonly number[];
  readonly softCap: number | undefined;
}

/** @param query [headDim] @returns [headDim] */
function attendHead(
  query: Float32Array,
  head: number,
  { cache, offsets, softCap }: VisibleTokens,
): Float32Array {
  const { headCount, kvHeadCount, headDim } = cache.dims;
  const kvOffset = Math.floor((head * kvHeadCount) / headCount) * headDim;
  const scores = offsets.map((offset) => {
    let dot = 0;
    query.forEach((value, i) => (dot += value * cache.keys[offset + kvOffset + i]!));
    const score = dot / Math.sqrt(headDim);
    return softCap === undefined ? score : softCap * Math.tanh(score / softCap);
  });
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const weights = scores.map((score) => Math.exp(score - largest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const out = new Float64Array(headDim);
  offsets.forEach((offset, position) => {
    const share = weights[position]! / total;
    out.forEach((_, i) => (out[i]! += share * cache.values[offset + kvOffset + i]!));
  });
  return Float32Array.from(out);
}
