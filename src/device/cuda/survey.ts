/** Survey of a machine's CUDA: GPUs, driver, compiler, matrix library, and sentences about what is missing. */
import { MIN_COMPUTE_CAPABILITY } from './architecture.js';
import { openDriver } from './driver.js';
import { gpuCount, readProperties, type GpuProperties } from './gpu.js';
import { openCudaLibrary } from './library-search.js';
import { openNvrtc } from './nvrtc.js';
import { attemptsInto } from './survey-attempts.js';

export interface CudaSurvey {
  readonly gpus: readonly GpuProperties[];
  /** CUDA version of the driver such as `13.0`; undefined without one. */
  readonly driver: string | undefined;
  readonly nvrtc: string | undefined;
  readonly cublasLt: string | undefined;
  /** Missing parts, one sentence each. */
  readonly missing: readonly string[];
}

/** Looks without taking a GPU: no context is made. */
export function surveyCuda(libraryPath?: string): CudaSurvey {
  const missing: string[] = [];
  const attempt = attemptsInto(missing);
  const gpus = attempt(() => surveyGpus(libraryPath)) ?? [];
  const version = gpus[0]?.driverCudaVersion;
  return {
    gpus,
    driver: version === undefined ? undefined : versionName(version, 1000, 10),
    nvrtc: attempt(() => openNvrtc(libraryPath).version),
    cublasLt: attempt(() => {
      const library = openCudaLibrary('cublasLt', libraryPath);
      return versionName(Number(library.bind('size_t cublasLtGetVersion()')()), 10_000, 100);
    }),
    missing,
  };
}

function surveyGpus(libraryPath: string | undefined): GpuProperties[] {
  const driver = openDriver(libraryPath);
  return Array.from({ length: gpuCount(driver) }, (_, ordinal) => readProperties(driver, ordinal));
}

/** 13010 with units of 1000 and 10 -> `13.1`. */
function versionName(version: number, major: number, minor: number): string {
  return `${Math.floor(version / major)}.${Math.floor((version % major) / minor)}`;
}

/** The first GPU that engines can be built for and run on here, if every library is there too. */
export function usableGpu({ gpus, nvrtc, cublasLt }: CudaSurvey): GpuProperties | undefined {
  if (nvrtc === undefined || cublasLt === undefined) return undefined;
  return gpus.find(({ computeCapability }) => computeCapability >= MIN_COMPUTE_CAPABILITY);
}
