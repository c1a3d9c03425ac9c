/** What runs kernels of linear layers in tests, and the launch of a layer on it. */
import type { TestKernels } from '../../../../builder/testing/test-kernels.js';
import type { LinearOperands } from '../method.js';
import { type LinearConfig, methodOf } from '../methods.js';
import type { CudaLinearProblem } from '../problem.js';

/** A GPU, or a host in its place. */
export type LinearMachine = Pick<
  TestKernels,
  | 'dtype'
  | 'tensorMap'
  | 'sink'
  | 'reserve'
  | 'write'
  | 'upload'
  | 'uploadActivations'
  | 'floats'
  | 'activations'
> & { readonly target: { readonly multiprocessorCount: number } };

type GivenOperands = Pick<LinearOperands, 'x' | 'xRows' | 'weight' | 'scale' | 'bias' | 'out'>;

/** Launches a layer whose operands are there. */
export function launchLinear(
  { dtype, tensorMap, sink, target: { multiprocessorCount } }: LinearMachine,
  problem: CudaLinearProblem,
  config: LinearConfig,
  given: GivenOperands & Partial<LinearOperands>,
): void {
  const method = methodOf(config);
  const absent = { inputCodes: 0, inputScale: 0, hasCodes: false, denseCopy: 0 };
  const operands = { dtype, multiprocessorCount, ...absent, ...given };
  const maps = method.maps(config, problem, operands).map(tensorMap);
  method.bind(config, problem, { ...operands, maps })(problem.m, sink);
}
