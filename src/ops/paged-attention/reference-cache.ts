import { floatToHalf, halfToFloat } from '../../core/dtype.js';
import type { StepInput } from '../../core/step.js';
import { isQuantisedKv } from '../../plan/kv-dtype.js';
import type { PlanDims } from '../../plan/plan.js';
import type { CpuKvDtype } from '../cpu/kv-layout.js';
import { storedKv } from '../rope/quantise-kv.js';

/** The paged KV cache of the references: plain arrays, values rounded to the cache's element type. */
export class ReferenceKvCache {
  readonly dims: PlanDims;
  readonly blockTokens: number;
  /** [layers, blocks, blockTokens, kvHeads * headDim] f32 */
  readonly keys: Float32Array;
  readonly values: Float32Array;
  readonly #dtype: CpuKvDtype;
  readonly #blockCount: number;

  constructor(
    dims: PlanDims,
    { blockCount, blockTokens, dtype }: { blockCount: number; blockTokens: number; dtype: CpuKvDtype },
  ) {
    this.dims = dims;
    this.blockTokens = blockTokens;
    this.#blockCount = blockCount;
    this.#dtype = dtype;
    this.keys = new Float32Array(dims.layerCount * blockCount * this.#blockFloats);
    this.values = new Float32Array(this.keys.length);
  }

  /** Offset of the token at `position` of a step's row. */
  offsetOf(step: StepInput, row: number, position: number, layer: number): number {
    const block =
      step.blockTables[row * step.maxBlocksPerSequence + Math.floor(position / this.blockTokens)]!;
    const token = (layer * this.#blockCount + block) * this.blockTokens + (position % this.blockTokens);
    return token * this.#tokenFloats;
  }

  /** @param key, value [kvHeads * headDim] */
  store(offset: number, key: Float32Array, value: Float32Array): void {
    for (let head = 0; head < key.length; head += this.dims.headDim) {
      this.keys.set(this.#stored(key.subarray(head, head + this.dims.headDim)), offset + head);
      this.values.set(this.#stored(value.subarray(head, head + this.dims.headDim)), offset + head);
    }
  }

  /** Copies a block of this cache into a block of another one (or the same), all layers. */
  copyBlock(from: number, target: ReferenceKvCache, to: number): void {
    const size = this.#blockFloats;
    for (let layer = 0; layer < this.dims.layerCount; layer++) {
      const source = (layer * this.#blockCount + from) * size;
      const destination = (layer * target.#blockCount + to) * size;
      target.keys.set(this.keys.slice(source, source + size), destination);
      target.values.set(this.values.slice(source, source + size), destination);
    }
  }

  /** @param vector [headDim] of one head */
  #stored(vector: Float32Array): Float32Array {
    if (isQuantisedKv(this.#dtype)) return storedKv(vector, this.#dtype);
    return this.#dtype === 'f16' ? vector.map((x) => halfToFloat(floatToHalf(x))) : vector;
  }

  get #tokenFloats(): number {
    return this.dims.kvHeadCount * this.dims.headDim;
  }

  get #blockFloats(): number {
    return this.blockTokens * this.#tokenFloats;
  }
}
