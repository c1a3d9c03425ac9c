import type { Plan } from '../../plan/plan.js';
import type { LinearChooser } from '../linear/cuda/choose.js';
import type { CudaTarget } from './capability.js';
import type { CudaScope, CudaInstruction } from './scope.js';

/** Whom kernels are for. */
interface KernelContext {
  readonly plan: Plan;
  readonly target: CudaTarget;
  readonly blockTokens: number;
  /** Chooses among the kernels of linear layers. */
  readonly chooseLinear: LinearChooser;
}

/** Part of a unit: a kernel file, and the line that makes a kernel from it where the file is a template. */
export interface UnitPart {
  readonly unit: string;
  /** Path in src/ops. */
  readonly file: string;
  readonly line?: string;
}

/** One kind of op on a GPU: all that compiling and running it needs. */
export interface CudaOpDefinition<Op> {
  /** Kernels that engines must hold for the op. */
  kernels(op: Op, context: KernelContext): Iterable<UnitPart>;
  /** Looks up what is the same in every step, and returns what enqueues the op. */
  bind(op: Op, scope: CudaScope): CudaInstruction;
}

/** A file with small kernels, which are compiled as they are. */
export const commonPart = (file: string): UnitPart => ({ unit: 'common', file });
