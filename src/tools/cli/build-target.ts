/** Chooses the device that an engine is built for, from `--device` and `--arch`. */
import type { BuildTarget } from '../../builder/build-options.js';
import { BUILD_TARGETS, type BuildTargetOptions } from '../../builder/targets.js';
import { DEVICE_NAMES, DEVICE_TRAITS, type DeviceName } from '../../core/device.js';
import type { PrecisionName } from '../../core/dtype.js';
import { AloftError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { present } from '../../core/present.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { DEVICES } from '../../device/device.js';
import type { DeviceSurvey } from '../../device/device-support.js';
import { packageVersion } from './package-version.js';

export type DeviceChoice = 'auto' | DeviceName;
export const DEVICE_CHOICES: readonly DeviceChoice[] = ['auto', ...DEVICE_NAMES];

/** Device whose architectures `--arch` names. */
export const ARCH_DEVICE: DeviceName = 'cuda';
/** Devices that `--device auto` tries before it takes the CPU, best first. */
const PREFERRED: readonly DeviceName[] = ['cuda'];

/** The device to build for, and how. */
export interface BuildPlace extends BuildTargetOptions {
  readonly device: DeviceChoice;
}

/** A target with the native state that packing needs; dispose it after the build. */
export interface OpenBuildTarget extends BuildTarget {
  dispose(): void;
}

/** @throws {AloftError} USAGE, DEVICE_UNAVAILABLE, COMPILER_MISSING */
export function openBuildTarget(place: BuildPlace, precision: PrecisionName, log: Log): OpenBuildTarget {
  const device = chosenDevice(place, precision, log);
  const pool = createCpuPool();
  const dispose = (): void => pool.dispose();
  try {
    return { ...BUILD_TARGETS[device](pool, place), createdBy: `aloft ${packageVersion()}`, dispose };
  } catch (fault) {
    dispose();
    throw fault;
  }
}

function chosenDevice(
  { device, arch, cudaLibraryPath }: BuildPlace,
  precision: PrecisionName,
  log: Log,
): DeviceName {
  if (device !== 'auto') {
    if (DEVICE_TRAITS[device].hasArchitectures) return device;
    const forGpus = { '--arch': arch, '--cuda_library_path': cudaLibraryPath };
    const [first] = Object.entries(forGpus).find(([, value]) => value !== undefined) ?? [];
    if (first === undefined) return device;
    throw new AloftError(
      'USAGE',
      `${first} is for engines of a GPU; use it with --device ${ARCH_DEVICE}, or leave it out.`,
    );
  }
  if (arch !== undefined) return ARCH_DEVICE;
  const choice = automaticDevice((name) => DEVICES[name].survey(present({ cudaLibraryPath })), precision);
  if (choice.why !== undefined) log.warning(choice.why);
  return choice.device;
}

/** Chooses for `--device auto`: a GPU if one can be used, else the CPU; says why a GPU that is there was passed over. */
export function automaticDevice(
  survey: (device: DeviceName) => DeviceSurvey,
  precision: PrecisionName,
): { readonly device: DeviceName; readonly why?: string } {
  const reasons: string[] = [];
  for (const device of PREFERRED) {
    const { name, obstacle } = survey(device);
    if (name === undefined) continue;
    const { precisions } = DEVICES[device];
    if (precisions.includes(precision) && obstacle === undefined) return { device };
    const why = precisions.includes(precision) ? obstacle : `it computes in ${precisions.join(' or ')}.`;
    reasons.push(`Building for the CPU although there is a GPU (${name}): ${why}`);
  }
  return { device: 'cpu', ...present({ why: reasons[0] }) };
}
