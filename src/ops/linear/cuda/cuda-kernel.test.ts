/** Every method of linear layers on a GPU against the reference, in the configurations that are tried for a problem. */
import { expect, it } from 'vitest';
import { describeGpuKernels, type KernelChoice } from '../../../builder/testing/test-kernels.js';
import { NAMED_FORMATS } from '../../../plan/weight-format.js';
import type { CudaDtype } from '../../cuda/dtype.js';
import { CUDA_DTYPES, roundoff } from '../../testing/activations.js';
import { canEndWith } from './choose.js';
import { configKey } from './keys.js';
import { KERNEL_METHODS, type LinearConfig, methodOf, METHODS } from './methods.js';
import type { Epilogue, CudaLinearProblem } from './problem.js';
import { storedWeights } from './stored-weights.js';
import { LinearCase } from './testing/linear-case.js';
import { layersOf, NORMED_CASES, normedFaults, normedKernels } from './testing/normed-cases.js';

/** Rows of x at both sides of every size of a tile. */
const ROWS = [1, 3, 8, 9, 16, 17, 31, 33, 64, 65, 100, 200, 513];
/** [outputs, inputs] with nothing that is a multiple of a tile; outputs of SwiGLU are gate and up, whole tiles of each. */
const SIZES: Readonly<Record<Epilogue, readonly (readonly [n: number, k: number])[]>> = {
  store: [
    [8, 8],
    [200, 72],
    [1032, 1096],
  ],
  f32: [
    [16, 8],
    [1003, 136],
  ],
  swiglu: [
    [32, 8],
    [704, 136],
  ],
};
/** The longest sums of LLaMA-2-7B, for numbers of rows that three methods are made for. */
const LARGEST = { rows: [1, 17, 600], n: 1024, k: 11008 };
/** Configurations of a method that are compared: the built-in one and the most promising. */
const MAX_CONFIGS = 4;

function configsOf(
  problem: CudaLinearProblem,
  device: Parameters<typeof METHODS.ring.candidates>[1] & { readonly sharedBytesPerBlock: number },
): readonly LinearConfig[] {
  const configs = Object.values(KERNEL_METHODS).flatMap((method): LinearConfig[] => {
    const builtIn = method.builtIn(problem, device);
    const tried: readonly LinearConfig[] = method.candidates(problem, device);
    const all = builtIn === undefined ? tried : [builtIn, ...tried];
    return all
      .filter((config) => canEndWith(config, problem) && methodOf(config).fits(config, device))
      .slice(0, MAX_CONFIGS);
  });
  return [...new Map(configs.map((config) => [configKey(config, 0), config])).values()];
}

/** Quantised formats by epilogue, so that each group of int4 occurs: int4-tiles.test.ts compares the operands of all of them. */
const QUANTISED = {
  store: ['int8', 'fp8', 'int4', 'int4_g32_zeros'],
  f32: ['int8', 'fp8', 'int4'],
  swiglu: ['int8', 'fp8', 'int4', 'int4_g64_zeros'],
} as const;
const EPILOGUES = ['store', 'f32', 'swiglu'] as const;
const formsOf = (dtype: CudaDtype, epilogue: Epilogue) => [
  ...[dtype, ...QUANTISED[epilogue]].map((name) => ({ name, title: name })),
  ...(['int8', 'fp8'] as const).map((name) => ({
    name,
    title: `${name}, inputs of 8 bits`,
    inputBits: 8 as const,
  })),
  {
    name: 'int8' as const,
    title: 'int8, inputs rounded to 8 bits before',
    inputBits: 8 as const,
    inputIsRounded: true,
  },
];
const CASES = [false, true].flatMap((isOldDevice) =>
  CUDA_DTYPES.flatMap((dtype) =>
    EPILOGUES.flatMap((epilogue) =>
      formsOf(dtype, epilogue).map(
        ({ title, ...form }) =>
          [
            `${title} weights in ${dtype} with ${epilogue}${isOldDevice ? ', kernels of 8.0' : ''}`,
            { choice: { dtype, isOldDevice } satisfies KernelChoice, form, epilogue },
          ] as const,
      ),
    ),
  ),
);
/** Sums are in f32; those of E4M3 lose bits within a stage (wide-promoted.cuh). */
const SUM_TOLERANCE = 2e-4;
const E4M3_SUM_TOLERANCE = 2e-3;
/** Roundings to activations between sums and results: SwiGLU rounds gate and up, as if they were stored, and its result. */
const ROUNDINGS: Readonly<Record<Epilogue, number>> = { f32: 0, store: 1, swiglu: 3 };

/** Roundings of weights before the sums: warpgroups multiply with the scales of groups in their operands. */
const weightRoundings = ({ method }: LinearConfig, { format }: CudaLinearProblem): number =>
  method === 'wide' && storedWeights(format).groups !== undefined ? 1 : 0;

describeGpuKernels('linear', (open) => {
  it.each(CASES)('%s', (_, { choice, form: { name, ...input }, epilogue }) => {
    const kind = { format: NAMED_FORMATS[name], epilogue, ...input };
    const problems = SIZES[epilogue].flatMap(([n, k]) => ROWS.map((m) => ({ m, n, k, ...kind })));
    const largest = LARGEST.rows.map((m) => ({ m, n: LARGEST.n, k: LARGEST.k, ...kind }));
    const all = epilogue === 'store' && !choice.isOldDevice ? [...problems, ...largest] : problems;
    const { target } = open(choice);
    const trials = (problem: CudaLinearProblem) => configsOf(problem, target);
    const faults: string[] = [];
    let runs = 0;
    for (const problem of all) {
      const kernels = open(choice);
      kernels.loadLinear(all, trials);
      const linear = new LinearCase(kernels, problem);
      for (const config of trials(problem)) {
        runs++;
        const error = linear.errorOf(config);
        const roundings = ROUNDINGS[epilogue] + weightRoundings(config, problem);
        const ofSums = config.method === 'widef8' ? E4M3_SUM_TOLERANCE : SUM_TOLERANCE;
        const tolerance = 1.1 * roundings * roundoff(choice.dtype) + ofSums;
        if (!(error <= tolerance)) faults.push(`${linear.name}: ${configKey(config, 0)} is off by ${error}`);
      }
      kernels.dispose();
    }
    expect(faults).toEqual([]);
    expect(runs).toBeGreaterThan(ROWS.length);
  });

  it.each(CUDA_DTYPES.flatMap((dtype) => [dtype, ...QUANTISED.store].map((name) => [dtype, name] as const)))(
    'by the matrix library in %s with %s weights',
    (dtype, name) => {
      for (const [n, k] of [...SIZES.store, [4096, 1096] as const])
        for (const m of [1, 17, 65, 600]) {
          const kernels = open({ dtype, weights: name });
          const problem = { m, n, k, format: NAMED_FORMATS[name], epilogue: 'store' } as const;
          const linear = new LinearCase(kernels, problem);
          // Rounded before the bias and after it; and weights, when they are made dense.
          const tolerance = 4 * roundoff(dtype) + SUM_TOLERANCE;
          expect(linear.errorOf({ method: 'matmul' }), linear.name).toBeLessThan(tolerance);
          kernels.dispose();
        }
    },
  );
});

describeGpuKernels('norms between linear layers', (open) => {
  it.each(NORMED_CASES)('in %s with %s weights', (dtype, name) => {
    const all = layersOf(name);
    const faults = all.flatMap((layers) => {
      const kernels = open({ dtype });
      kernels.loadGenerated(normedKernels(all, kernels.target));
      const found = normedFaults(kernels, layers);
      kernels.dispose();
      return found;
    });
    expect(faults).toEqual([]);
  });
});
