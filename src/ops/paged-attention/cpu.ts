import type { NativeLibrary } from '../../ffi/library.js';

/**
 * Causal attention of the step's tokens over one layer of the paged cache, which holds them already; by address.
 * step: StepView, layout: KvLayout, layer: the layer's keys in block 0; qkv [tokens, (headCount + 2 kvHeads) * headDim] f32;
 * out [tokens, headCount * headDim] f32. window: tokens that a token sees, 0 for all; softCap: of scores, 0 for none.
 */
export type PagedAttentionKernel = (
  pool: number,
  step: number,
  layout: number,
  layer: number,
  qkv: number,
  out: number,
  headCount: number,
  window: number,
  softCap: number,
) => void;

export function bindPagedAttention(library: NativeLibrary): PagedAttentionKernel {
  return library.bind(
    'void aloft_paged_attention(uint64_t pool, uint64_t step, uint64_t layout, uint64_t layer, uint64_t qkv, uint64_t out, int64_t heads, int64_t window, double softCap)',
  );
}
