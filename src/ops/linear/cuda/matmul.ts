/** Many rows by cuBLASLt on dense weights. Quantised weights are made dense in a scratch buffer first. */
import type { WeightElement } from '../../../plan/weight-format.js';
import { addBiasLaunch } from '../../add/cuda.js';
import type { CudaDtype } from '../../cuda/dtype.js';
import { ceilDiv, type KernelLaunch } from '../../cuda/launch.js';
import type { MatmulShape } from '../../cuda/sink.js';
import { DEQUANTISE_ARGS } from './args.js';
import type { LinearMethod } from './method.js';
import type { CudaLinearProblem } from './problem.js';
import { MATMUL_ROW_STEP, rowClass } from './row-classes.js';
import { storedWeights } from './stored-weights.js';
import { tileShape } from './tiles.js';

export interface MatmulConfig {
  readonly method: 'matmul';
  /** Which of cuBLASLt's proposals; default 0, its first. */
  readonly algorithm?: number;
}

const roundedRows = (rows: number): number => ceilDiv(rows, MATMUL_ROW_STEP) * MATMUL_ROW_STEP;

/** The product of a problem; more than a few rows are rounded up, so that cuBLASLt plans a bounded number of shapes. */
export function matmulShape({ m, n, k, epilogue }: CudaLinearProblem, dtype: CudaDtype): MatmulShape {
  return {
    m: m <= MATMUL_ROW_STEP ? m : roundedRows(m),
    n,
    k,
    inputDtype: dtype,
    outputDtype: epilogue === 'f32' ? 'f32' : dtype,
  };
}

/**
 * The algorithm for a number of rows. A measured one is meant for the shape of its class, and cuBLASLt's proposals for another
 * shape are other algorithms: of those, its first is taken. Few rows are planned as they are, and any algorithm serves them all.
 */
function algorithmAt({ algorithm = 0 }: MatmulConfig, m: number): number {
  return m <= MATMUL_ROW_STEP || roundedRows(m) === rowClass(m) ? algorithm : 0;
}

const KEY = /^cublasLt (\d+) algorithm (\d+)$/;

export const matmul: LinearMethod<MatmulConfig> = {
  reads: new Set<WeightElement>(['f16', 'bf16']),
  builtIn: () => ({ method: 'matmul' }),
  candidates(problem, { proposalCount }) {
    if (problem.epilogue === 'swiglu' || proposalCount === undefined) return [];
    return Array.from({ length: proposalCount(problem) }, (_, algorithm) => ({
      method: 'matmul',
      algorithm,
    }));
  },
  // The number of an algorithm is one of a version.
  key: ({ algorithm = 0 }, libraryVersion) => `cublasLt ${libraryVersion} algorithm ${algorithm}`,
  parse(key, libraryVersion) {
    const [, version, algorithm] = KEY.exec(key) ?? [];
    return Number(version) === libraryVersion
      ? { method: 'matmul', algorithm: Number(algorithm) }
      : undefined;
  },
  fusesSwiglu: () => false,
  fits: () => true,
  kernel: () => undefined,
  maps: () => [],
  bind(config, problem, { x, weight, scale, bias, out, dtype, denseCopy }) {
    const { dequantise } = storedWeights(problem.format);
    const dense = dequantise && dequantiseLaunch(dequantise.name, problem, { weight, scale, out: denseCopy });
    const pointers = { x, weight: dense === undefined ? weight : denseCopy, out };
    return (m, sink) => {
      if (dense !== undefined) sink.kernel(dense);
      sink.matmul(matmulShape({ ...problem, m }, dtype), pointers, algorithmAt(config, m));
      if (bias !== 0) sink.kernel(addBiasLaunch(m, problem.n, out, bias));
    };
  },
};

/** Tiles -> dense [n, k] in the activations' type. */
function dequantiseLaunch(
  kernel: string,
  { n, k, format }: CudaLinearProblem,
  { weight, scale, out }: { readonly weight: number; readonly scale: number; readonly out: number },
): KernelLaunch {
  const warps = 8;
  const [down, across] = tileShape(storedWeights(format).tile, n, k);
  return {
    unit: 'common',
    kernel,
    grid: [ceilDiv(down * across, warps), 1, 1],
    blockThreads: warps * 32,
    sharedBytes: 0,
    args: DEQUANTISE_ARGS.of({ tiles: weight, scale, out, n, k }),
  };
}
