/** A CUDA kernel of decode attention: what its launches and its pieces of rows are. */
import type { Plan } from '../../plan/plan.js';
import type { CudaTarget } from '../cuda/capability.js';
import type { KernelLaunch } from '../cuda/launch.js';
import type { PieceRule } from './cuda-pieces.js';
import type { AttentionProblem } from './cuda-problem.js';

type DecodeKernelName =
  | 'attention_decode'
  | 'attention_decode_ring'
  | 'attention_decode_int8'
  | 'attention_decode_int8_teams'
  | 'attention_decode_tensor'
  | 'attention_decode_tensor_shared';

export interface DecodeKernel {
  readonly name: DecodeKernelName;
  readonly file: string;
  /** The launch in a step of `tokens` tokens. */
  launch(problem: AttentionProblem, target: CudaTarget, tokens: number): DecodeShape;
  /** The rule that cuts rows in a step of `tokens` tokens: the same within a class of row-classes.ts. */
  pieces(tokens: number, target: CudaTarget): PieceRule;
}

/** The part of a launch that kernels differ in. */
interface DecodeShape extends Pick<KernelLaunch, 'grid' | 'blockThreads' | 'sharedBytes'> {
  readonly stageCount: number;
  /** Kernel for teams of warps, of which each shares a unit, and the warps of one; absent: the kernel is the usual one. */
  readonly teams?: { readonly kernel: DecodeKernelName; readonly warps: number };
}

/** The kernels of decode attention that a plan gets on a device. */
export interface DecodeKernels {
  /** For steps of up to `FEW_TOKENS` tokens, and for those of more. */
  readonly few: DecodeKernel;
  readonly many: DecodeKernel;
  /** Constants that they are compiled with. */
  readonly defines: Readonly<Record<string, number>>;
}

export type PlanOfDecode = Pick<Plan, 'kvDtype' | 'dims'>;
