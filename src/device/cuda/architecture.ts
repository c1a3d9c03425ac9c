/** GPU architectures: their names for the compiler, and what to assume about a GPU that is not here. */
import { AloftError } from '../../core/errors.js';
import type { CudaTarget } from '../../ops/cuda/capability.js';

/** Ampere: the first with bf16 tensor cores and asynchronous copies. */
export const MIN_COMPUTE_CAPABILITY = 80;

/** Multiprocessors of the usual data-centre or desktop GPU: A100, A40, L40S, H100 and H200, B200, RTX 5090. */
const USUAL_MULTIPROCESSORS: readonly (readonly [computeCapability: number, count: number])[] = [
  [120, 170],
  [100, 148],
  [90, 132],
  [89, 142],
  [86, 84],
  [80, 108],
];

/** NVRTC's name for an architecture; Hopper's own instructions need the suffix. */
export function architectureName(computeCapability: number): string {
  return computeCapability === 90 ? 'sm_90a' : `sm_${computeCapability}`;
}

/** `sm_90a`, `sm_90`, `sm_86`, ... @throws {AloftError} USAGE */
export function parseArchitecture(name: string): CudaTarget {
  const match = /^sm_(\d{2,3})a?$/.exec(name);
  const computeCapability = Number(match?.[1]);
  if (match === null || computeCapability < MIN_COMPUTE_CAPABILITY)
    throw new AloftError(
      'USAGE',
      `--arch ${name} must be sm_80 (A100), sm_86, sm_89 (L40S), sm_90a (H100, H200) or a later one.`,
    );
  const [, multiprocessorCount] = USUAL_MULTIPROCESSORS.find(([from]) => from <= computeCapability)!;
  return { computeCapability, multiprocessorCount };
}
