/** Kernels of linear layers on a host, compiled by a C++ compiler, against the reference: no GPU sees wrong addresses first. */
import { describe, expect, it } from 'vitest';
import { type FormatName, isQuantised, NAMED_FORMATS } from '../../../plan/weight-format.js';
import { seededRandom } from '../../../core/random.js';
import { roundActivations, roundoff } from '../../testing/activations.js';
import { canEndWith } from './choose.js';
import { configKey } from './keys.js';
import { KERNEL_METHODS, type LinearConfig, methodOf, METHODS } from './methods.js';
import { orderInputLaunch } from './order-input.js';
import type { CudaLinearProblem, Epilogue } from './problem.js';
import { storedWeights } from './stored-weights.js';
import { HostKernels, type HostKernel } from './testing/host-kernels.js';
import { packBytes } from './testing/byte-matrix.js';
import { packInt4 } from './testing/int4-matrix.js';
import { LinearCase } from './testing/linear-case.js';
import { OPERANDS } from './testing/problems.js';
import { MAX_EXACT_ROWS } from './wide8.js';

type Size = readonly [rows: readonly number[], n: number, k: number, epilogue: Epilogue];
/** Nothing is a multiple of a tile; some blocks have several tiles, some tiles are outside of the matrix. */
const ALL: readonly Size[] = [
  [[1, 3, 9, 17, 70], 200, 72, 'store'],
  [[1, 8, 16, 33], 102, 1096, 'f32'],
  [[1, 5, 12, 40], 160, 392, 'swiglu'],
  [[1, 33], 33, 8, 'f32'],
];
const SOME: readonly Size[] = [[[1, 9, 17], 102, 712, 'f32']];
const FORMATS: Readonly<Partial<Record<FormatName, readonly Size[]>>> = {
  int8: SOME,
  fp8: ALL,
  int4: ALL,
  int4_g64: SOME,
  int4_g32: SOME,
  int4_zeros: SOME,
  int4_g64_zeros: SOME,
  int4_g32_zeros: SOME,
};
/** Devices whose kernels are run: with warpgroups, and before rings of bulk copies. */
const TARGETS = [90, 80].map((computeCapability) => ({ computeCapability, multiprocessorCount: 3 }));
const ARGS = {
  ring: 'RingArgs',
  wide: 'WideArgs',
  wide8: 'Wide8Args',
  widef8: 'Wide8Args',
  stream: 'StreamArgs',
} as const;
/** Kernels that round x. */
const ROUNDING: readonly HostKernel[] = [
  { name: 'round_input', file: 'linear/cuda/wide8.cu', struct: 'RoundInputArgs' },
  { name: 'round_input_e4m3', file: 'linear/cuda/widef8.cu', struct: 'RoundInputArgs' },
];
/** More rows than other methods take. */
const ROUNDED: readonly Size[] = [
  [[70, 131], 200, 72, 'store'],
  [[66], 102, 1096, 'f32'],
  [[70], 160, 392, 'swiglu'],
];
/** Configurations of a method that are run: the built-in one and the most promising. */
const MAX_CONFIGS = 2;
const SUM_TOLERANCE = 2e-4;
const ROUNDINGS: Readonly<Record<Epilogue, number>> = { f32: 0, store: 1, swiglu: 3 };

const problemsOf = (name: FormatName, sizes: readonly Size[]): readonly CudaLinearProblem[] =>
  sizes.flatMap(([rows, n, k, epilogue]) =>
    rows.map((m) => ({ m, n, k, format: NAMED_FORMATS[name], epilogue })),
  );

/** Configurations without clusters, each once. */
function configsOf(problem: CudaLinearProblem): readonly LinearConfig[] {
  const configs = TARGETS.flatMap((target) =>
    Object.values(KERNEL_METHODS).flatMap((method) => {
      const builtIn = method.builtIn(problem, target);
      const all: readonly LinearConfig[] = [
        ...(builtIn === undefined ? [] : [builtIn]),
        ...method.candidates(problem, target),
      ];
      return all
        .filter(
          (config) => canEndWith(config, problem) && !('clusterBlocks' in config && config.clusterBlocks > 1),
        )
        .slice(0, MAX_CONFIGS);
    }),
  );
  return [...new Map(configs.map((config) => [configKey(config, 0), config])).values()];
}

function kernelsOf(
  all: readonly CudaLinearProblem[],
  isWanted: (config: LinearConfig) => boolean = () => true,
): readonly HostKernel[] {
  const kernels = all.flatMap((problem) =>
    configsOf(problem)
      .filter(isWanted)
      .map((config) => ({
        ...methodOf(config).kernel(config, problem)!,
        struct: ARGS[config.method as keyof typeof ARGS],
      })),
  );
  // The names of kernels are those of a unit, and each format has one.
  return [...new Map(kernels.map((kernel) => [kernel.name, kernel])).values()];
}

const CASES = [
  ...(['f16', ...Object.keys(FORMATS)] as FormatName[]).map((name) => ['f16', name] as const),
  ...(['bf16', 'fp8', 'int4', 'int4_g32_zeros'] as const).map((name) => ['bf16', name] as const),
];

describe('linear on a host', () => {
  it.each(CASES)('in %s with %s weights', { timeout: 300_000 }, (dtype, name) => {
    const problems = problemsOf(name, FORMATS[name] ?? SOME);
    const kernels = new HostKernels(dtype, kernelsOf(problems));
    const faults: string[] = [];
    for (const problem of problems) {
      const linear = new LinearCase(kernels, problem);
      for (const config of configsOf(problem)) {
        const isRounded = config.method === 'wide' && storedWeights(problem.format).groups !== undefined;
        const roundings = ROUNDINGS[problem.epilogue] + (isRounded ? 1 : 0);
        const error = linear.errorOf(config);
        if (!(error <= 1.1 * roundings * roundoff(dtype) + SUM_TOLERANCE))
          faults.push(`${linear.name}: ${configKey(config, 0)} is off by ${error}`);
      }
      kernels.dispose();
    }
    expect(faults).toEqual([]);
  });

  it.each([
    ['f16', 'int8', 'wide8'],
    ['f16', 'fp8', 'widef8'],
    ['bf16', 'fp8', 'widef8'],
  ] as const)('in %s with %s weights and inputs of 8 bits', { timeout: 300_000 }, (dtype, name, method) => {
    const problems = problemsOf(name, ROUNDED).map((problem) => ({ ...problem, inputBits: 8 as const }));
    const isOne = (config: LinearConfig): boolean => config.method === method;
    const rounding = ROUNDING.filter(({ file }) => file.endsWith(`/${method}.cu`));
    const kernels = new HostKernels(dtype, [...kernelsOf(problems, isOne), ...rounding]);
    for (const problem of problems) {
      const linear = new LinearCase(kernels, problem);
      const configs = configsOf(problem).filter(isOne);
      expect(configs.length).toBeGreaterThan(0);
      for (const config of configs)
        expect(linear.errorOf(config), `${linear.name}: ${configKey(config, 0)}`).toBeLessThan(
          1.1 * ROUNDINGS[problem.epilogue] * roundoff(dtype) + SUM_TOLERANCE,
        );
      kernels.dispose();
    }
  });

  it('in f16 with int8 weights, and inputs that are in codes', { timeout: 300_000 }, () => {
    const problems = problemsOf('int8', ALL)
      .filter(({ m }) => m > MAX_EXACT_ROWS)
      .map((problem) => ({ ...problem, inputBits: 8 as const, inputIsRounded: true }));
    const isOne = ({ method }: LinearConfig): boolean => method === 'wide8';
    const kernels = new HostKernels('f16', kernelsOf(problems, isOne));
    let count = 0;
    for (const problem of problems) {
      const linear = new LinearCase(kernels, problem);
      const configs = configsOf(problem).filter(isOne);
      count += configs.length;
      for (const config of configs)
        expect(linear.errorOf(config), `${linear.name}: ${configKey(config, 0)}`).toBeLessThan(
          1.1 * ROUNDINGS[problem.epilogue] * roundoff('f16') + SUM_TOLERANCE,
        );
      kernels.dispose();
    }
    expect(count).toBeGreaterThan(2);
  });

  it('brings inputs into the order of codes', () => {
    const [rows, k] = [3, 328];
    const kernels = new HostKernels('f16', [
      { name: 'order_input', file: 'linear/cuda/order-input.cu', struct: 'OrderInputArgs' },
    ]);
    const x = Float32Array.from({ length: rows * k }, (_, i) => i % 1999);
    const order = Int32Array.from({ length: k }, (_, i) => (i * 37) % k);
    const out = kernels.reserve(2 * rows * k);
    const at = { x: kernels.uploadActivations(x), order: kernels.upload(order), out };
    kernels.sink.kernel(orderInputLaunch(rows, { ...at, k }));
    const expected = Float32Array.from(x, (_, i) => x[i - (i % k) + order[i % k]!]!);
    expect(kernels.activations(out, rows * k)).toEqual(expected);
    kernels.dispose();
  });

  it.each(CASES.filter(([, name]) => isQuantised(NAMED_FORMATS[name])))(
    'in %s a dense copy of %s weights',
    { timeout: 300_000 },
    (dtype, name) => {
      const format = NAMED_FORMATS[name];
      const { groups, dequantise } = storedWeights(format);
      const [n, k] = [37, 328];
      const kernels = new HostKernels(dtype, [{ ...dequantise!, struct: 'DequantiseArgs' }]);
      const random = seededRandom(2);
      const { values, tiles, scales } =
        groups === undefined
          ? packBytes(format, n, k, random)
          : { ...packInt4(groups, n, k, random), scales: new Float32Array(1) };
      const denseCopy = kernels.reserve(2 * n * k);
      const sink = { ...kernels.sink, matmul: () => {} };
      const operands = {
        ...OPERANDS,
        dtype,
        weight: kernels.upload(tiles),
        scale: kernels.upload(scales),
        denseCopy,
      };
      const problem = { m: 1, n, k, format, epilogue: 'store' } as const;
      METHODS.matmul.bind({ method: 'matmul' }, problem, operands)(1, sink);
      expect(kernels.activations(denseCopy, n * k)).toEqual(roundActivations(values.data, dtype));
      kernels.dispose();
    },
  );
});
