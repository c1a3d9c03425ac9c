/** Builds for a CUDA device: kernels compiled by NVRTC for one architecture and, with the GPU at hand, tuned on it. */
import { AloftError } from '../../core/errors.js';
import type { CpuPool } from '../../device/cpu/kernel-library.js';
import { architectureName, parseArchitecture } from '../../device/cuda/architecture.js';
import { checkCudaPlan } from '../../ops/cuda/check-plan.js';
import { createCudaWeightLayout } from '../../device/cuda/cuda-weight-layout.js';
import { openGpu, type GpuProperties } from '../../device/cuda/gpu.js';
import { type KernelFacts, spillingKernels } from '../../device/cuda/kernel-facts.js';
import { compileUnits, kernelUnits } from './kernel-sources.js';
import { type CudaTarget, hasWarpgroupProducts } from '../../ops/cuda/capability.js';
import { cudaDtype } from '../../ops/cuda/dtype.js';
import { createLinearTimer } from './linear-timer.js';
import { type Nvrtc, openNvrtc } from '../../device/cuda/nvrtc.js';
import { parseResourceReport } from '../../device/cuda/resource-report.js';
import { surveyCuda } from '../../device/cuda/survey.js';
import { linearProblems, type Timings, tuneLinears } from './tune.js';
import type { TimingCache } from '../../engine/timing-cache.js';
import { linearChooser } from '../../ops/linear/cuda/choose.js';
import { parseWinners, problemKey } from '../../ops/linear/cuda/keys.js';
import type { BuildTarget, KernelPackage, KernelRequest } from '../build-options.js';

export interface CudaTargetOptions {
  /** Such as `sm_90a`; default: that of this machine's first GPU. */
  readonly architecture?: string;
  /** Folders of CUDA libraries, separated by colons, before the standard places. */
  readonly libraryPath?: string;
  /** Time configurations on the GPU when there is one. Default true. */
  readonly tune?: boolean;
}

/** Tokens of the largest step that is tuned when the engine's limits do not say. */
const DEFAULT_STEP_TOKENS = 8192;

/** @param pool packs weights; the caller disposes it @throws {AloftError} DEVICE_UNAVAILABLE, USAGE */
export function openCudaTarget(pool: CpuPool, options: CudaTargetOptions): Omit<BuildTarget, 'createdBy'> {
  const { gpus, missing } = surveyCuda(options.libraryPath);
  const wanted = options.architecture === undefined ? undefined : parseArchitecture(options.architecture);
  if (wanted === undefined && gpus[0] === undefined) throw noGpu(missing);
  const gpu = gpus.find((one) => wanted === undefined || one.computeCapability === wanted.computeCapability);
  const target: CudaTarget = gpu ?? wanted!;
  const nvrtc = openNvrtc(options.libraryPath);
  if (!nvrtc.computeCapabilities.includes(target.computeCapability))
    throw new AloftError(
      'DEVICE_UNAVAILABLE',
      `NVRTC ${nvrtc.version} cannot compile for ${architectureName(target.computeCapability)}; install the CUDA toolkit that this GPU needs.`,
    );
  return {
    layout: createCudaWeightLayout(pool),
    deviceName: gpu?.name ?? architectureName(target.computeCapability),
    deviceArchitecture: architectureName(target.computeCapability),
    buildKernels: (request) => buildKernels({ nvrtc, target, gpu, options }, request),
  };
}

function noGpu(missing: readonly string[]): AloftError {
  const why = missing[0] === undefined ? '' : ` ${missing[0]}`;
  return new AloftError(
    'DEVICE_UNAVAILABLE',
    `There is no GPU here to build for; name the architecture of the one that will run the engine, such as --arch sm_90a for H100 and H200.${why}`,
  );
}

interface KernelBuild {
  readonly nvrtc: Nvrtc;
  readonly target: CudaTarget;
  /** The GPU of the target's architecture that is here; undefined without one. */
  readonly gpu: GpuProperties | undefined;
  readonly options: CudaTargetOptions;
}

function buildKernels(build: KernelBuild, request: KernelRequest): KernelPackage {
  const { nvrtc, target } = build;
  const { plan, limits, log } = request;
  checkCudaPlan(plan, limits.maxInputTokens);
  checkInputs(plan, target);
  const tuned = tune(build, request);
  const choose = linearChooser(target, parseWinners(tuned.linear, tuned.libraryVersion));
  const startMs = performance.now();
  const compiled = compileUnits(nvrtc, kernelUnits(plan, target, limits.blockTokens, choose));
  const facts: KernelFacts = {
    compiler: `NVRTC ${nvrtc.version}`,
    target: { computeCapability: target.computeCapability, multiprocessorCount: target.multiprocessorCount },
    isTuned: tuned.isTuned,
    linear: tuned.linear,
    resources: Object.fromEntries(
      Array.from(compiled, ([unit, { log: report }]) => [unit, parseResourceReport(report)]),
    ),
  };
  log.info(
    `Compiled ${compiled.size} kernel units for ${architectureName(target.computeCapability)} in ${secondsSince(startMs)} s.`,
  );
  const spilling = spillingKernels(facts);
  if (spilling.length > 0) log.verbose(`Kernels that spill registers: ${spilling.join(', ')}.`);
  return {
    units: new Map(Array.from(compiled, ([unit, { cubin }]) => [unit, cubin])),
    facts,
    timingCache: tuned.cache,
  };
}

/** @throws {AloftError} UNSUPPORTED */
function checkInputs({ ops }: KernelRequest['plan'], { computeCapability }: CudaTarget): void {
  const isRounded = ops.some((op) => op.kind === 'linear' && op.inputBits !== undefined);
  if (!isRounded || hasWarpgroupProducts(computeCapability)) return;
  throw new AloftError(
    'UNSUPPORTED',
    `${architectureName(computeCapability)} has no kernels for activations of 8 bits, sm_90a has; build without --int8_activations or --fp8_activations.`,
  );
}

const secondsSince = (startMs: number): string => ((performance.now() - startMs) / 1000).toFixed(1);

interface Tuned {
  readonly isTuned: boolean;
  /** Winners by problem. */
  readonly linear: Readonly<Record<string, string>>;
  readonly cache: TimingCache;
  /** cuBLASLt version; 0 if nothing was tuned. */
  readonly libraryVersion: number;
}

function tune(
  { gpu, nvrtc, options }: KernelBuild,
  { plan, limits, timingCache, log }: KernelRequest,
): Tuned {
  if (gpu === undefined || options.tune === false) {
    const why = gpu === undefined ? 'no GPU of this architecture is here' : 'as asked';
    log.warning(`Not tuned (${why}): kernels have built-in configurations.`);
    return { isTuned: false, linear: {}, cache: timingCache, libraryVersion: 0 };
  }
  const startMs = performance.now();
  const opened = openGpu(gpu.ordinal, options.libraryPath);
  try {
    const problems = linearProblems(plan, gpu, limits.maxStepTokens ?? DEFAULT_STEP_TOKENS);
    const dtype = cudaDtype(plan);
    const tools = { gpu: opened, nvrtc, dtype, libraryPath: options.libraryPath } as const;
    const timer = createLinearTimer(tools, problems);
    const timings = tuneLinears(problems, ofDtype(timingCache, dtype), timer);
    log.info(`Tuned ${problems.length} linear problems in ${secondsSince(startMs)} s.`);
    const winners = problems.flatMap((problem) => {
      const key = problemKey(problem);
      return timings[key] === undefined ? [] : [[key, timings[key].config] as const];
    });
    return {
      isTuned: true,
      linear: Object.fromEntries(winners),
      cache: withTimings(timingCache, dtype, timings),
      libraryVersion: timer.libraryVersion,
    };
  } finally {
    opened.dispose();
  }
}

/** A cache serves engines of both types; its keys begin with theirs. */
function ofDtype({ entries }: TimingCache, dtype: string): Timings {
  const own = Object.entries(entries).filter(([key]) => key.startsWith(`${dtype} `));
  return Object.fromEntries(own.map(([key, entry]) => [key.slice(dtype.length + 1), entry]));
}

function withTimings(cache: TimingCache, dtype: string, timings: Timings): TimingCache {
  const own = Object.entries(timings).map(([key, entry]) => [`${dtype} ${key}`, entry] as const);
  return { ...cache, entries: { ...cache.entries, ...Object.fromEntries(own) } };
}
