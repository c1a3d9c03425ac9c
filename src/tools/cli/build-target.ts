/** Which device an engine is built for, from `--device`. */
import { cpus } from 'node:os';
import type { BuildTarget } from '../../builder/build-options.js';
import { openCudaTarget } from '../../builder/cuda/target.js';
import { AloftError } from '../../core/errors.js';
import type { PrecisionName } from '../../core/dtype.js';
import type { Log } from '../../core/log.js';
import { createCpuWeightLayout } from '../../device/cpu/cpu-weight-layout.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { type CudaSurvey, surveyCuda, usableGpu } from '../../device/cuda/survey.js';
import { packageVersion } from './package-version.js';

export const DEVICE_CHOICES = ['auto', 'cpu', 'cuda'] as const;
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];

/** The device to build for, and how. */
export interface BuildPlace {
  readonly device: DeviceChoice;
  /** GPU architecture such as `sm_90a`; default: that of the GPU here. */
  readonly arch?: string;
  readonly cudaLibraryPath?: string;
  /** Time kernel configurations on the GPU. Default true. */
  readonly tune?: boolean;
}

/** A target with the native state that packing needs; dispose it after the build. */
export interface OpenBuildTarget extends BuildTarget {
  dispose(): void;
}

/** @throws {AloftError} USAGE, DEVICE_UNAVAILABLE, COMPILER_MISSING */
export function openBuildTarget(place: BuildPlace, precision: PrecisionName, log: Log): OpenBuildTarget {
  const device = chosenDevice(place, precision, log);
  const pool = createCpuPool();
  const createdBy = `aloft ${packageVersion()}`;
  const dispose = (): void => pool.dispose();
  if (device === 'cpu')
    return {
      layout: createCpuWeightLayout(pool),
      deviceName: cpus()[0]?.model.trim() ?? process.arch,
      deviceArchitecture: null,
      createdBy,
      dispose,
    };
  try {
    const { arch, cudaLibraryPath, tune } = place;
    const target = openCudaTarget(pool, {
      ...(arch === undefined ? {} : { architecture: arch }),
      ...(cudaLibraryPath === undefined ? {} : { libraryPath: cudaLibraryPath }),
      ...(tune === undefined ? {} : { tune }),
    });
    return { ...target, createdBy, dispose };
  } catch (fault) {
    dispose();
    throw fault;
  }
}

function chosenDevice(place: BuildPlace, precision: PrecisionName, log: Log): 'cpu' | 'cuda' {
  if (place.arch !== undefined && place.device === 'cpu')
    throw new AloftError('USAGE', '--arch names a GPU architecture; use it with --device cuda.');
  if (place.device !== 'auto') return place.device;
  if (place.arch !== undefined) return 'cuda';
  const { device, why } = automaticDevice(surveyCuda(place.cudaLibraryPath), precision);
  if (why !== undefined) log.warning(why);
  return device;
}

/** `--device auto`: a GPU if one can be used, else the CPU; why a GPU that is there was passed over. */
export function automaticDevice(
  survey: CudaSurvey,
  precision: PrecisionName,
): { readonly device: 'cpu' | 'cuda'; readonly why?: string } {
  const [first] = survey.gpus;
  if (first === undefined) return { device: 'cpu' };
  const why = `Building for the CPU although there is a GPU (${first.name})`;
  if (precision === 'float32') return { device: 'cpu', why: `${why}: GPUs compute in 16 bits.` };
  if (usableGpu(survey) !== undefined) return { device: 'cuda' };
  const reason = survey.missing[0] ?? 'its compute capability is below 8.0.';
  return { device: 'cpu', why: `${why}: ${reason}` };
}
