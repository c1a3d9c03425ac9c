import type { StepInput } from '../../core/step.js';
import type { PlanDims } from '../dims.js';
import type { BufferName, WeightName } from '../names.js';
import type { WeightFormat } from '../weight-format.js';

/** Least amounts that an op must move and compute. Divided by time they give rates to compare with the machine's limits. */
export interface OpCost {
  readonly bytes: number;
  readonly flops: number;
}

/** Bytes of an element on a device. */
export interface ElementBytes {
  readonly activation: number;
  /** An element of the KV cache, with its share of a scale. */
  readonly cache: number;
}

/** Sizes that the cost of an op in one step depends on. */
export interface CostContext {
  readonly dims: PlanDims;
  readonly step: StepInput;
  readonly bytes: ElementBytes;
  /** Number of rows that a buffer has in the step. */
  readonly rows: (name: BufferName) => number;
  readonly columns: (name: BufferName) => number;
  readonly weight: (name: WeightName) => { readonly shape: readonly number[]; readonly format: WeightFormat };
}
