/** Which method and configuration computes a linear layer. Pure. */
import { AloftError } from '../../../core/errors.js';
import { elementOf } from '../../../plan/weight-format.js';
import type { CudaTarget } from '../../cuda/capability.js';
import { configKey, problemKey } from './keys.js';
import type { TuningTarget } from './method.js';
import { KERNEL_METHODS, type LinearConfig, methodOf, METHODS } from './methods.js';
import type { CudaLinearProblem } from './problem.js';

/** The configuration for a problem. All numbers of rows of a class have the same. */
export type LinearChooser = (problem: CudaLinearProblem) => LinearConfig;

/** The fastest known configuration for a device where nothing was measured. */
export function chooseLinear(problem: CudaLinearProblem, target: CudaTarget): LinearConfig {
  for (const method of Object.values(METHODS)) {
    const config = method.builtIn(problem, target);
    if (config !== undefined) return config;
  }
  throw new AloftError('INTERNAL', `no method computes '${problemKey(problem)}'`);
}

/** Measured winners first, the built-in choice for everything else. */
export function linearChooser(
  target: CudaTarget,
  winners: ReadonlyMap<string, LinearConfig> = new Map(),
): LinearChooser {
  const chosen = new Map(winners);
  return (problem) => {
    const key = problemKey(problem);
    let config = chosen.get(key);
    if (config === undefined) chosen.set(key, (config = chooseLinear(problem, target)));
    return config;
  };
}

/** The chooser by which an engine gets its kernels. */
export function kernelChooser(choose: LinearChooser, target: CudaTarget): LinearChooser {
  return (problem) => {
    const config = choose(problem);
    // Another version of the matrix library may not know the algorithm that won; then the built-in kernel runs.
    return methodOf(config).kernel(config, problem) === undefined ? chooseLinear(problem, target) : config;
  };
}

/** Whether a configuration reads a problem's weights as they are stored; otherwise it reads a dense copy. */
export function readsStored(config: LinearConfig, { format }: CudaLinearProblem): boolean {
  return methodOf(config).reads.has(elementOf(format));
}

/** Whether a configuration solves a problem with SwiGLU in one kernel; for other problems true. */
export function canEndWith(config: LinearConfig, { n, epilogue }: CudaLinearProblem): boolean {
  return epilogue !== 'swiglu' || methodOf(config).fusesSwiglu(config, n / 2);
}

/** Our kernels that are worth timing for a problem: those of the first method that has any. */
export function kernelCandidates(problem: CudaLinearProblem, target: TuningTarget): readonly LinearConfig[] {
  const lists = Object.values(KERNEL_METHODS).map((method) => method.candidates(problem, target));
  const all: readonly LinearConfig[] = lists.find(({ length }) => length > 0) ?? [];
  return all.filter((config) => canEndWith(config, problem));
}

/**
 * Configurations that the tuner compares: the built-in choice, then all others that the device can run. They find the weights
 * in the same form as the built-in choice, because an engine stores one.
 */
export function linearCandidates(
  problem: CudaLinearProblem,
  device: TuningTarget & { readonly sharedBytesPerBlock: number },
): readonly LinearConfig[] {
  const first = chooseLinear(problem, device);
  const isSameForm = ({ reads }: (typeof METHODS)[keyof typeof METHODS]): boolean =>
    reads.has(elementOf(problem.format)) === readsStored(first, problem);
  const { matmul } = METHODS;
  const library = isSameForm(matmul) ? matmul.candidates(problem, device) : [];
  const others = [...kernelCandidates(problem, device), ...library].filter(
    (config) =>
      isSameForm(METHODS[config.method]) &&
      configKey(config, 0) !== configKey(first, 0) &&
      methodOf(config).fits(config, device),
  );
  return [first, ...others];
}
