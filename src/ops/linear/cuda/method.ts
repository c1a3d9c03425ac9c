import type { WeightElement } from '../../../plan/weight-format.js';
import type { CudaTarget } from '../../cuda/capability.js';
import type { CudaDtype } from '../../cuda/dtype.js';
import type { TensorMap } from '../../cuda/launch.js';
import type { Mapped } from '../../cuda/mapped.js';
import type { LaunchSink } from '../../cuda/sink.js';
import type { CudaLinearProblem } from './problem.js';

/** A device to find configurations for. */
export interface TuningTarget extends CudaTarget {
  /** Returns the number of the matrix library's proposals for a problem. Absent: the library does not compete. */
  readonly proposalCount?: (problem: CudaLinearProblem) => number;
}

/** A kernel that a unit makes from a template. */
export interface GeneratedKernel {
  readonly unit: string;
  readonly name: string;
  /** File with the template, and the line that makes the kernel from it. */
  readonly file: string;
  readonly line: string;
}

/** Addresses of a layer's matrices. */
export interface LinearMatrices {
  readonly dtype: CudaDtype;
  readonly x: number;
  /** Rows that x has room for, whatever the rows of a step. */
  readonly xRows: number;
  /** Tiles or dense rows. */
  readonly weight: number;
  /** Where x in 8 bits goes; 0 where no method rounds it. */
  readonly inputCodes: number;
}

/** Codes of 8 bits that a method takes its input in, see row-codes.cuh. */
export type InputCodes = 'int8' | 'e4m3';

/** Addresses of a norm before a layer, whose x is not divided by the rms: the layer does so, see ring-norms.cuh. */
export interface NormBefore {
  readonly weight: number;
  readonly squares: number;
  readonly epsilon: number;
}

/** Addresses of a norm after a layer, which adds its result to `residual` and leaves x of the layer after in `out`. */
export interface NormAfter {
  readonly weight: number;
  readonly squares: number;
  readonly residual: number;
}

export interface LinearOperands extends LinearMatrices {
  /** Tensor maps of what the method's `maps` returns, in that order. */
  readonly maps: readonly TensorMap[];
  /** Address of the scales; 0 for weights without. */
  readonly scale: number;
  /** Address of the bias, or 0. */
  readonly bias: number;
  readonly out: number;
  /** Address of the scales of x in 8 bits, or 0. */
  readonly inputScale: number;
  /** Whether x in 8 bits is there already, where the method takes it so. */
  readonly hasCodes: boolean;
  /** Address of memory for a dense copy of the weights. */
  readonly denseCopy: number;
  readonly multiprocessorCount: number;
  /** Norms of which the layer does its part; where there is one after it, `out` is that one's. */
  readonly normBefore?: NormBefore;
  readonly normAfter?: NormAfter;
}

/**
 * A way of computing linear layers on a GPU: a kernel in its configurations, or the matrix library. All that is known about a
 * method is here; `methods.ts` lists them.
 */
export interface LinearMethod<Config> {
  /** Elements of weights that it reads as they are stored. */
  readonly reads: ReadonlySet<WeightElement>;
  /** Codes in which it takes its input; absent: activations. */
  readonly inputCodes?: InputCodes;
  /**
   * The configuration that runs a problem where nothing was measured, the same for all rows of a class; undefined where another
   * method is faster or has to.
   */
  builtIn(problem: CudaLinearProblem, target: CudaTarget): Config | undefined;
  /** Configurations that are worth timing for a problem, the most promising first. */
  candidates(problem: CudaLinearProblem, target: TuningTarget): readonly Config[];
  /** Text that names a configuration in engines and timing caches. */
  key(config: Config, libraryVersion: number): string;
  /** The configuration of a key; undefined for keys of other methods, and for those that this version cannot run. */
  parse(key: string, libraryVersion: number): Config | undefined;
  /** Whether gate, up and SwiGLU can be one kernel, for `inter` columns of each. */
  fusesSwiglu(config: Config, inter: number): boolean;
  /** Whether the device has what the configuration takes. */
  fits(config: Config, device: { readonly sharedBytesPerBlock: number }): boolean;
  /** The kernel that a unit must hold; undefined for a library's. */
  kernel(config: Config, problem: CudaLinearProblem): GeneratedKernel | undefined;
  /** The kernel that takes part in the norm after the layer; absent: the method takes no part in norms. */
  normedKernel?(config: Config, problem: CudaLinearProblem): GeneratedKernel;
  /** Matrices that launches read through tensor maps, for any number of rows of the problem's class. */
  maps(config: Config, problem: CudaLinearProblem, matrices: LinearMatrices): readonly Mapped[];
  /** Works out all of a layer's launches that does not depend on the rows of a step. */
  bind(config: Config, problem: CudaLinearProblem, operands: LinearOperands): LinearLaunch;
}

/** Enqueues a layer for `m` rows, any number of the class of its problem. */
export type LinearLaunch = (m: number, sink: LaunchSink) => void;
