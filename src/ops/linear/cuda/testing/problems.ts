/** Devices, problems and operands for tests of linear layers on a GPU. */
import { type FormatName, NAMED_FORMATS } from '../../../../plan/weight-format.js';
import type { KernelLaunch } from '../../../cuda/launch.js';
import { createRecordingSink } from '../../../cuda/testing/recording-sink.js';
import type { LinearOperands } from '../method.js';
import { type LinearConfig, methodOf } from '../methods.js';
import type { CudaLinearProblem } from '../problem.js';

export const H200 = { computeCapability: 90, multiprocessorCount: 132 };
export const B200 = { computeCapability: 100, multiprocessorCount: 148 };
export const A100 = { computeCapability: 80, multiprocessorCount: 108 };
export const { int8: INT8, fp8: FP8, int4: INT4, f16: DENSE } = NAMED_FORMATS;

export const OPERANDS: LinearOperands = {
  dtype: 'f16',
  x: 0x1000,
  xRows: 8192,
  weight: 0x2000,
  maps: [],
  scale: 0x3000,
  bias: 0,
  inputCodes: 0x6000,
  inputScale: 0x7000,
  hasCodes: false,
  out: 0x4000,
  denseCopy: 0x5000,
  multiprocessorCount: 132,
};

/** LLaMA-2-7B's layers and head, and a small one whose sizes are no multiples of a tile. */
export const SHAPES = [
  [12288, 4096],
  [4096, 4096],
  [22016, 4096],
  [4096, 11008],
  [32000, 4096],
  [96, 40],
] as const;

/** Every shape, for each number of rows, format and epilogue. */
export function problemsOf(
  rows: readonly number[],
  formats: readonly FormatName[] = ['f16', 'int8', 'fp8', 'int4', 'int4_g32_zeros'],
): CudaLinearProblem[] {
  return SHAPES.flatMap(([n, k]) =>
    rows.flatMap((m) =>
      formats.flatMap((name) =>
        (['store', 'f32', 'swiglu'] as const).map((epilogue) => ({
          m,
          n,
          k,
          format: NAMED_FORMATS[name],
          epilogue,
        })),
      ),
    ),
  );
}

/** The kernels that a configuration launches; each of its maps is a byte that says which. */
export function launchesOf(
  config: LinearConfig,
  problem: CudaLinearProblem,
  operands: LinearOperands = OPERANDS,
): readonly KernelLaunch[] {
  const sink = createRecordingSink();
  const method = methodOf(config);
  const maps = method.maps(config, problem, operands).map((_, index) => Uint8Array.of(index));
  method.bind(config, problem, { ...operands, maps })(problem.m, sink);
  return sink.launches;
}

/** The only kernel that a configuration launches. */
export function kernelLaunchOf(
  config: LinearConfig,
  problem: CudaLinearProblem,
  operands: LinearOperands = OPERANDS,
): KernelLaunch {
  const launches = launchesOf(config, problem, operands);
  if (launches.length !== 1) throw new Error(`${config.method} launches ${launches.length} kernels`);
  return launches[0]!;
}
