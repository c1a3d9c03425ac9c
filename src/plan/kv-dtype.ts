/** Types of keys and values in the paged cache. */
import { BYTES_PER_ELEMENT } from '../core/dtype.js';

/**
 * Element type of the KV cache. The types of 8 bits have one f32 scale per token and key/value head, for the key and for the
 * value: the largest magnitude of the vector becomes 127 (i8) or 448 (f8e4m3). Scales are taken when a token is appended.
 */
export type KvDtype = 'f32' | 'f16' | 'bf16' | QuantisedKvDtype;
export type QuantisedKvDtype = 'i8' | 'f8e4m3';

export const KV_SCALE_BYTES = BYTES_PER_ELEMENT.f32;

export function isQuantisedKv(dtype: KvDtype): dtype is QuantisedKvDtype {
  return dtype === 'i8' || dtype === 'f8e4m3';
}

/** Bytes of the key, or of the value, of one token and head: elements and scale. */
export function kvVectorBytes(dtype: KvDtype, headDim: number): number {
  return headDim * BYTES_PER_ELEMENT[dtype] + (isQuantisedKv(dtype) ? KV_SCALE_BYTES : 0);
}
