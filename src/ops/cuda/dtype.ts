import type { Plan } from '../../plan/plan.js';

/** Types of activations that CUDA kernels compute with. */
export type CudaDtype = 'f16' | 'bf16';

/** Bytes of an activation. */
export const ACTIVATION_BYTES = 2;

/** Type of a plan's activations on a GPU. Plans in f32 do not get this far: `checkCudaPlan` refuses them. */
export const cudaDtype = ({ activationDtype }: Pick<Plan, 'activationDtype'>): CudaDtype =>
  activationDtype === 'bf16' ? 'bf16' : 'f16';

/** Constants that make kernels compute in a type. */
export const dtypeDefines = (dtype: CudaDtype): Readonly<Record<string, number>> =>
  dtype === 'bf16' ? { ACT_BF16: 1 } : {};
