/** Which device an engine is built for, from `--device`. */
import { cpus } from 'node:os';
import type { BuildTarget } from '../../build/build-options.js';
import { AloftError } from '../../core/errors.js';
import { createCpuWeightLayout } from '../../device/cpu/cpu-weight-layout.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { packageVersion } from './package-version.js';

export const DEVICE_CHOICES = ['auto', 'cpu', 'cuda'] as const;
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];

/** A target with the native state that packing needs; dispose it after the build. */
export interface OpenBuildTarget extends BuildTarget {
  dispose(): void;
}

/** @throws AloftError DEVICE_UNAVAILABLE, COMPILER_MISSING */
export function openBuildTarget(device: DeviceChoice): OpenBuildTarget {
  if (device === 'cuda')
    throw new AloftError('UNSUPPORTED', 'Engines for CUDA cannot be built yet; use --device cpu.');
  const pool = createCpuPool();
  return {
    layout: createCpuWeightLayout(pool),
    deviceName: cpus()[0]?.model.trim() ?? process.arch,
    deviceArchitecture: null,
    createdBy: `aloft ${packageVersion()}`,
    dispose: () => pool.dispose(),
  };
}
