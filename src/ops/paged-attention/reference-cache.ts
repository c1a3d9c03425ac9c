import { floatToHalf, halfToFloat } from '../../core/dtype.js';
import type { StepInput } from '../../core/step.js';
import type { PlanDims } from '../../plan/plan.js';

/** The paged KV cache of the references: plain arrays, values rounded to the cache's element type. */
export class ReferenceKvCache {
  readonly dims: PlanDims;
  readonly blockTokens: number;
  /** [layers, blocks, blockTokens, kvHeads * headDim] f32 */
  readonly keys: Float32Array;
  readonly values: Float32Array;
  readonly #isHalf: boolean;
  readonly #blockCount: number;

  constructor(
    dims: PlanDims,
    { blockCount, blockTokens, dtype }: { blockCount: number; blockTokens: number; dtype: 'f32' | 'f16' },
  ) {
    this.dims = dims;
    this.blockTokens = blockTokens;
    this.#blockCount = blockCount;
    this.#isHalf = dtype === 'f16';
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
    const round = (x: number): number => (this.#isHalf ? halfToFloat(floatToHalf(x)) : x);
    this.keys.set(key.map(round), offset);
    this.values.set(value.map(round), offset);
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

  get #tokenFloats(): number {
    return this.dims.kvHeadCount * this.dims.headDim;
  }

  get #blockFloats(): number {
    return this.blockTokens * this.#tokenFloats;
  }
}
