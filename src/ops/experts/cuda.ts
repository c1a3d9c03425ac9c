/** CUDA kernels of mixtures of experts, and their launches. */
import { commonPart, type UnitPart } from '../cuda/definition.js';
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import { smallLaunch } from '../cuda/small-launch.js';
import type { StoredWeights } from '../linear/cuda/stored-weights.js';
import { Struct, type ValuesOf } from '../struct.js';

export const ROUTE_ARGS = new Struct('RouteArgs', 'experts/experts.cu', {
  logits: 'address',
  routes: 'address',
  experts: 'i32',
  perToken: 'i32',
  normalises: 'i32',
});

export const EXPERT_ARGS = new Struct('ExpertArgs', 'experts/expert-args.cuh', {
  x: 'address',
  routes: 'address',
  weight: 'address',
  scale: 'address',
  out: 'address',
  in: 'i32',
  columns: 'i32',
  perToken: 'i32',
});

/** Rows of an expert's matrix that a block takes: one for each of its warps, or half a tile of int4, which they share. */
const BLOCK_ROWS = 8;
/** Shared memory for a sum of each warp and row. */
const SUM_BYTES = 4 * BLOCK_ROWS * BLOCK_ROWS;

/** Most experts of a layer, and of a token, that the kernels take. */
export const MAX_EXPERTS = 256;
export const MAX_EXPERTS_PER_TOKEN = 16;

export function routeLaunch(tokens: number, args: ValuesOf<typeof ROUTE_ARGS>): KernelLaunch {
  return { ...smallLaunch('route_experts', [tokens, 1, 1], ROUTE_ARGS.of(args)), blockThreads: 32 };
}

type ExpertKernel = 'expert_gate_up' | 'expert_down';

const kernelName = (kernel: ExpertKernel, { key }: StoredWeights): string =>
  key === 'dense' ? kernel : `${kernel}_${key}`;

/** Source of a kernel for experts that are stored so. Only int4 has a kernel for each format, because there are many. */
export function expertPart(kernel: ExpertKernel, stored: StoredWeights): UnitPart {
  if (stored.groups === undefined) return commonPart('experts/experts.cu');
  const body = kernel === 'expert_gate_up' ? 'int4_gate_up' : 'int4_down';
  const line = `INT4_EXPERT_KERNEL(${kernelName(kernel, stored)}, ${body}, ${stored.templateArgument})`;
  return { ...commonPart('experts/int4-experts.cu'), line };
}

/** @param args with the scales of rows where the weight has them, else 0 */
export function expertGateUpLaunch(
  tokens: number,
  stored: StoredWeights,
  args: ValuesOf<typeof EXPERT_ARGS>,
): KernelLaunch {
  const grid = [ceilDiv(args.columns, BLOCK_ROWS), tokens * args.perToken, 1] as const;
  return expertLaunch('expert_gate_up', stored, grid, args);
}

/** @param args with the scales of rows where the weight has them, else 0 */
export function expertDownLaunch(
  tokens: number,
  stored: StoredWeights,
  args: ValuesOf<typeof EXPERT_ARGS>,
): KernelLaunch {
  const grid = [ceilDiv(args.columns, BLOCK_ROWS), tokens, 1] as const;
  return expertLaunch('expert_down', stored, grid, args);
}

function expertLaunch(
  kernel: ExpertKernel,
  stored: StoredWeights,
  grid: KernelLaunch['grid'],
  args: ValuesOf<typeof EXPERT_ARGS>,
): KernelLaunch {
  // Warps share the rows of int4: those of gate and of up, or those of one matrix.
  const sums = stored.groups === undefined ? 0 : kernel === 'expert_gate_up' ? 2 : 1;
  const launch = smallLaunch(kernelName(kernel, stored), grid, EXPERT_ARGS.of(args));
  return { ...launch, sharedBytes: sums * SUM_BYTES };
}
