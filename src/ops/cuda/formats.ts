import type { WeightRole } from '../../plan/ops/op-definition.js';
import { hasOrder, NAMED_FORMATS, type WeightFormat } from '../../plan/weight-format.js';
import { LINEAR_FORMATS } from '../linear/cuda/stored-weights.js';

const { f16, bf16, int8 } = NAMED_FORMATS;

/** Formats of weights that CUDA kernels read, by the use of a weight. */
export const CUDA_FORMATS: Readonly<Record<WeightRole, readonly WeightFormat[]>> = {
  table: [f16, bf16, int8],
  vector: [f16, bf16],
  linear: LINEAR_FORMATS,
  // Inputs are ordered for a linear layer alone.
  experts: LINEAR_FORMATS.filter((format) => !hasOrder(format)),
};
