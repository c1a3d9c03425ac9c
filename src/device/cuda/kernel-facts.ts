/** Facts that an engine file keeps about its kernels, beside their machine code. */
import type { CudaTarget } from '../../ops/cuda/capability.js';
import type { CompiledResources } from './resource-report.js';

export interface KernelFacts {
  /** Such as `NVRTC 13.0`. */
  readonly compiler: string;
  /** The device for which kernels were chosen. Another device of the same architecture makes the same choices. */
  readonly target: CudaTarget;
  /** Whether configurations were timed on the device. */
  readonly isTuned: boolean;
  /** Linear problems and the configurations that won, as keys of ops/linear/cuda-tuning. */
  readonly linear: Readonly<Record<string, string>>;
  /** By unit and kernel. */
  readonly resources: Readonly<Record<string, Readonly<Record<string, CompiledResources>>>>;
}

/** Kernels of all units whose registers did not suffice, as `unit/kernel (bytes)`. */
export function spillingKernels({ resources }: KernelFacts): string[] {
  return Object.entries(resources).flatMap(([unit, kernels]) =>
    Object.entries(kernels)
      .filter(([, { spillBytes }]) => spillBytes > 0)
      .map(([kernel, { spillBytes }]) => `${unit}/${kernel} (${spillBytes} bytes)`),
  );
}
