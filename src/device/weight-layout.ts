import type { DType } from '../core/dtype.js';
import type { HostTensor } from '../core/tensor.js';
import type { PlanWeight, WeightName } from '../plan/plan.js';

/** What a weight is used as, which decides its layout: looked up by row, multiplied elementwise, or multiplied as a matrix. */
export type WeightUse = 'table' | 'vector' | 'linear';

/** One tensor of an engine file. */
export interface PackedTensorSpec {
  /** The weight's name, or the name with a suffix such as `.scale`. */
  readonly name: string;
  readonly dtype: DType;
  /** Shape as stored, padding and tiling included. */
  readonly shape: readonly number[];
}

/** Squared error of a quantised weight, to report what quantisation cost. */
export interface PackReport {
  readonly squaredError: number;
  readonly squaredSum: number;
}

/** How one kind of device wants weights to lie in an engine file. Engines load without any further transform. */
export interface WeightLayout {
  readonly device: 'cpu' | 'cuda';
  /** Changes whenever packed bytes change meaning; engines of another version are refused. */
  readonly version: number;
  /** Pure: the tensors that `pack` will fill, in order. */
  specs(name: WeightName, weight: PlanWeight, use: WeightUse): readonly PackedTensorSpec[];
  /**
   * Converts, quantises and packs one weight.
   * @param source logical row-major tensor in checkpoint precision; its rows may be fewer than the weight's (padding rows are zero)
   * @param targets one per spec, of exactly its bytes
   */
  pack(source: HostTensor, weight: PlanWeight, use: WeightUse, targets: readonly Uint8Array[]): PackReport;
}
