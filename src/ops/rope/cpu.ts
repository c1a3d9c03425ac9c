import type { NativeLibrary } from '../../ffi/library.js';

/**
 * Rotates q and k of qkv in place and appends k and v to one layer of the KV cache; by address.
 * step: StepView, layout: KvLayout, layer: the layer's keys in block 0; qkv [tokens, (headCount + 2 kvHeads) * headDim] f32;
 * cos, sin [positions, headDim / 2] f32.
 */
export type RopeAppendKernel = (
  pool: number,
  step: number,
  layout: number,
  layer: number,
  qkv: number,
  headCount: number,
  cos: number,
  sin: number,
) => void;

export function bindRopeAppend(library: NativeLibrary): RopeAppendKernel {
  return library.bind(
    'void aloft_rope_append(uint64_t pool, uint64_t step, uint64_t layout, uint64_t layer, uint64_t qkv, int64_t heads, uint64_t cos, uint64_t sin)',
  );
}
