/** The table of build targets: one for each kind of device. */
import type { DeviceName } from '../core/device.js';
import { present } from '../core/present.js';
import { cpuName } from '../device/cpu/cpu-device.js';
import { createCpuWeightLayout } from '../device/cpu/cpu-weight-layout.js';
import type { CpuPool } from '../device/cpu/kernel-library.js';
import type { BuildTarget } from './build-options.js';
import { openCudaTarget } from './cuda/target.js';

/** Choices about the device of a build besides its kind. */
export interface BuildTargetOptions {
  /** Architecture such as `sm_90a`; default: that of the device here. */
  readonly arch?: string;
  readonly cudaLibraryPath?: string;
  /** Time kernel configurations on the device. Default true. */
  readonly tune?: boolean;
}

/** @param pool packs weights; the caller disposes it @throws {AloftError} DEVICE_UNAVAILABLE, USAGE */
type OpenTarget = (pool: CpuPool, options: BuildTargetOptions) => Omit<BuildTarget, 'createdBy'>;

export const BUILD_TARGETS: Readonly<Record<DeviceName, OpenTarget>> = {
  cpu: (pool) => ({
    layout: createCpuWeightLayout(pool),
    deviceName: cpuName(),
    deviceArchitecture: null,
  }),
  cuda: (pool, { arch, cudaLibraryPath, tune }) =>
    openCudaTarget(pool, present({ architecture: arch, libraryPath: cudaLibraryPath, tune })),
};
