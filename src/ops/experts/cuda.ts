/** CUDA launches of mixtures of experts. */
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import { smallLaunch } from '../cuda/small-launch.js';
import { Struct, type ValuesOf } from '../struct.js';

export const ROUTE_ARGS = new Struct('RouteArgs', 'experts/experts.cu', {
  logits: 'address',
  routes: 'address',
  experts: 'i32',
  perToken: 'i32',
  normalises: 'i32',
});

export const EXPERT_ARGS = new Struct('ExpertArgs', 'experts/experts.cu', {
  x: 'address',
  routes: 'address',
  weight: 'address',
  scale: 'address',
  out: 'address',
  in: 'i32',
  columns: 'i32',
  perToken: 'i32',
});

/** Warps of a block, each with a row of an expert's matrix. */
const EXPERT_WARPS = 8;

/** Most experts of a layer, and of a token, that the kernels take. */
export const MAX_EXPERTS = 256;
export const MAX_EXPERTS_PER_TOKEN = 16;

export function routeLaunch(tokens: number, args: ValuesOf<typeof ROUTE_ARGS>): KernelLaunch {
  return { ...smallLaunch('route_experts', [tokens, 1, 1], ROUTE_ARGS.of(args)), blockThreads: 32 };
}

/** Numbers of experts' matrices. */
export type ExpertKind = 'dense' | 'int8' | 'fp8';

const kernelOf = (name: string, kind: ExpertKind): string => (kind === 'dense' ? name : `${name}_${kind}`);

/** @param args with the scales of a quantised weight, else 0 */
export function expertGateUpLaunch(
  tokens: number,
  kind: ExpertKind,
  args: ValuesOf<typeof EXPERT_ARGS>,
): KernelLaunch {
  const grid = [ceilDiv(args.columns, EXPERT_WARPS), tokens * args.perToken, 1] as const;
  return smallLaunch(kernelOf('expert_gate_up', kind), grid, EXPERT_ARGS.of(args));
}

/** @param args with the scales of a quantised weight, else 0 */
export function expertDownLaunch(
  tokens: number,
  kind: ExpertKind,
  args: ValuesOf<typeof EXPERT_ARGS>,
): KernelLaunch {
  const grid = [ceilDiv(args.columns, EXPERT_WARPS), tokens, 1] as const;
  return smallLaunch(kernelOf('expert_down', kind), grid, EXPERT_ARGS.of(args));
}
