import type { LinearOp } from '../../../plan/plan.js';
import type { WeightFormat } from '../../../plan/weight-format.js';

/** Last part of a kernel: results are stored as activations, as f32, or as SwiGLU of gate and up. */
export type Epilogue = 'store' | 'f32' | 'swiglu';

/** A linear layer as CUDA kernels see it. */
export interface CudaLinearProblem {
  /** Rows of x. */
  readonly m: number;
  /** Output features; gate and up together with the swiglu epilogue. */
  readonly n: number;
  /** Input features. */
  readonly k: number;
  /** Format of the weights. */
  readonly format: WeightFormat;
  readonly epilogue: Epilogue;
  /** Bits that x may be rounded to, as in {@link LinearOp}. */
  readonly inputBits?: LinearOp['inputBits'];
  /** Whether what makes x rounds it, where the layer's method takes codes. */
  readonly inputIsRounded?: boolean;
}

/** Columns of the result. */
export const outColumns = ({ n, epilogue }: Pick<CudaLinearProblem, 'n' | 'epilogue'>): number =>
  epilogue === 'swiglu' ? n / 2 : n;
