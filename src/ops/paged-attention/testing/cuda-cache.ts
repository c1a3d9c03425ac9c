/** The paged KV cache of a GPU as bytes: what kv-cache.cuh says in C, for tests that fill it and look into it. */
import { e4m3ToFloat, floatToE4m3 } from '../../../core/dtype.js';
import { isQuantisedKv, KV_SCALE_BYTES, kvVectorBytes, type KvDtype } from '../../../plan/kv-dtype.js';
import type { CudaDtype } from '../../cuda/dtype.js';
import { quantiseKv } from '../../rope/quantise-kv.js';
import { decodeActivations, encodeActivations } from '../../testing/activations.js';

export interface CacheShape {
  readonly layerCount: number;
  readonly kvHeadCount: number;
  readonly headDim: number;
  readonly blockTokens: number;
  readonly blockCount: number;
  /** Type of activations. */
  readonly dtype: CudaDtype;
  readonly kvDtype: KvDtype;
}

/** Where a key or value of one token and head lies. */
export interface VectorPlace {
  readonly layer: number;
  readonly block: number;
  /** Token in the block. */
  readonly token: number;
  readonly kvHead: number;
  readonly part: 'key' | 'value';
}

/** The kernels read E4M3 with an exponent that makes it 2^-8 of its value, and the scale has the factor. */
const FP8_FACTOR = 2 ** 8;
const INT8_OFFSET = 128;

export class CudaCache {
  readonly shape: CacheShape;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of one head's keys and values in a block. */
  readonly headBlockBytes: number;
  readonly layerBytes: number;
  readonly blockBytes: number;
  readonly #view: DataView;

  /** @param fill byte that the cache is full of: 0xff is no number in 16 bits and in scales */
  constructor(shape: CacheShape, fill: number) {
    const { layerCount, kvHeadCount, headDim, blockTokens, blockCount, kvDtype } = shape;
    this.shape = shape;
    this.headBlockBytes = 2 * blockTokens * kvVectorBytes(kvDtype, headDim);
    this.layerBytes = kvHeadCount * this.headBlockBytes;
    this.blockBytes = layerCount * this.layerBytes;
    this.bytes = new Uint8Array(new ArrayBuffer(blockCount * this.blockBytes)).fill(fill);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Elements from one block to the next. */
  get blockStride(): number {
    return this.blockBytes / (isQuantisedKv(this.shape.kvDtype) ? 1 : 2);
  }

  /** @param vector [headDim], numbers that activations can hold */
  write(place: VectorPlace, vector: Float32Array): void {
    const { kvDtype, dtype } = this.shape;
    const at = this.#offsetOf(place);
    if (!isQuantisedKv(kvDtype)) {
      new Uint16Array(this.bytes.buffer, at, vector.length).set(encodeActivations(vector, dtype));
      return;
    }
    const { numbers, scale } = quantiseKv(vector, kvDtype);
    const code = kvDtype === 'i8' ? (number: number) => number + INT8_OFFSET : floatToE4m3;
    this.bytes.set(Array.from(numbers, code), at);
    this.#view.setFloat32(this.#scaleOffsetOf(place), kvDtype === 'i8' ? scale : scale * FP8_FACTOR, true);
  }

  /** @returns [headDim] */
  read(place: VectorPlace): Float32Array {
    const { kvDtype, dtype, headDim } = this.shape;
    const at = this.#offsetOf(place);
    if (!isQuantisedKv(kvDtype))
      return decodeActivations(new Uint16Array(this.bytes.buffer, at, headDim), dtype);
    const stored = this.#view.getFloat32(this.#scaleOffsetOf(place), true);
    const scale = kvDtype === 'i8' ? stored : stored / FP8_FACTOR;
    const number = kvDtype === 'i8' ? (code: number) => code - INT8_OFFSET : e4m3ToFloat;
    return Float32Array.from(this.bytes.subarray(at, at + headDim), (code) => number(code) * scale);
  }

  /** Takes a vector over from another cache of the same shape, bit by bit. */
  copyFrom(other: CudaCache, place: VectorPlace): void {
    const { kvDtype, headDim } = this.shape;
    const at = this.#offsetOf(place);
    const length = headDim * (isQuantisedKv(kvDtype) ? 1 : 2);
    this.bytes.set(other.bytes.subarray(at, at + length), at);
    if (!isQuantisedKv(kvDtype)) return;
    const scaleAt = this.#scaleOffsetOf(place);
    this.bytes.set(other.bytes.subarray(scaleAt, scaleAt + KV_SCALE_BYTES), scaleAt);
  }

  #offsetOf({ layer, block, token, kvHead, part }: VectorPlace): number {
    const { kvHeadCount, headDim, blockTokens, kvDtype } = this.shape;
    const start = block * this.blockBytes + layer * this.layerBytes;
    const isValue = part === 'value' ? 1 : 0;
    if (isQuantisedKv(kvDtype))
      return start + kvHead * this.headBlockBytes + (isValue * blockTokens + token) * headDim;
    return start + ((isValue * kvHeadCount + kvHead) * blockTokens + token) * headDim * 2;
  }

  /** Offset of a vector's scale: the scales of a head and block follow its keys and values. */
  #scaleOffsetOf({ layer, block, token, kvHead, part }: VectorPlace): number {
    const { headDim, blockTokens } = this.shape;
    const start = block * this.blockBytes + layer * this.layerBytes + kvHead * this.headBlockBytes;
    const vector = (part === 'value' ? blockTokens : 0) + token;
    return start + 2 * blockTokens * headDim + vector * KV_SCALE_BYTES;
  }
}
