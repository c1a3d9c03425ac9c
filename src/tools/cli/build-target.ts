/** Which device an engine is built for, from `--device`. */
import { cpus } from 'node:os';
import type { BuildTarget } from '../../build/build-options.js';
import { createCpuWeightLayout } from '../../device/cpu/cpu-weight-layout.js';
import { type CpuPool, createCpuPool } from '../../device/cpu/kernel-library.js';
import { createCudaWeightLayout } from '../../device/cuda/cuda-weight-layout.js';
import { openDriver } from '../../device/cuda/driver.js';
import { readProperties } from '../../device/cuda/gpu.js';
import { architectureName, compileUnits, kernelUnits } from '../../device/cuda/kernel-sources.js';
import { openNvrtc } from '../../device/cuda/nvrtc.js';
import { packageVersion } from './package-version.js';

export const DEVICE_CHOICES = ['auto', 'cpu', 'cuda'] as const;
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];

/** A target with the native state that packing needs; dispose it after the build. */
export interface OpenBuildTarget extends BuildTarget {
  dispose(): void;
}

/** @throws AloftError DEVICE_UNAVAILABLE, COMPILER_MISSING */
export function openBuildTarget(device: DeviceChoice, cudaLibraryPath?: string): OpenBuildTarget {
  const pool = createCpuPool();
  const createdBy = `aloft ${packageVersion()}`;
  const dispose = (): void => pool.dispose();
  if (device === 'cuda') {
    try {
      return { ...cudaTarget(pool, cudaLibraryPath), createdBy, dispose };
    } catch (fault) {
      dispose();
      throw fault;
    }
  }
  return {
    layout: createCpuWeightLayout(pool),
    deviceName: cpus()[0]?.model.trim() ?? process.arch,
    deviceArchitecture: null,
    createdBy,
    dispose,
  };
}

/** The first GPU of this machine. */
function cudaTarget(pool: CpuPool, libraryPath?: string): Omit<BuildTarget, 'createdBy'> {
  const gpu = readProperties(openDriver(libraryPath), 0);
  const nvrtc = openNvrtc(libraryPath);
  return {
    layout: createCudaWeightLayout(pool),
    deviceName: gpu.name,
    deviceArchitecture: architectureName(gpu.computeCapability),
    compileKernels: (plan, blockTokens) => {
      const units = compileUnits(nvrtc, kernelUnits(plan, gpu, blockTokens));
      return new Map(Array.from(units, ([name, unit]) => [name, unit.cubin]));
    },
  };
}
