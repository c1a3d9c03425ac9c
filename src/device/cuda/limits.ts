/** Limits of a GPU, measured when they are asked for: profiles print their share of them. */
import type { CudaDtype } from '../../ops/cuda/dtype.js';
import { READ_LIMIT_ARGS } from '../../ops/cuda/tool-kernels.js';
import { openCublasLt } from './cublaslt.js';
import { fastestMs } from './fastest.js';
import type { Gpu } from './gpu.js';
import { createKernels } from './kernels.js';
import { createStream } from './stream.js';

export interface GpuLimits {
  /** Reading memory that no cache holds, GB/s. */
  readonly readGBps: number;
  /** Products of 16-bit matrices by cuBLASLt, GFLOP/s (a multiply-add is two). */
  readonly matmulGflops: number;
}

const READ_BYTES = 2 ** 31;
const READ_THREADS = 512;
const READ_BLOCKS_PER_MULTIPROCESSOR = 4;
/** Rows and columns of the matrices. */
const MATMUL_SIZE = 8192;
const MATMUL_WORKSPACE_BYTES = 64 << 20;
/** Small numbers of both 16-bit types. Zeros would draw less power and run at a clock that real data never sees. */
const PATTERN = 0x2c1f2a5e;
const ROUNDS = 8;

export interface GpuLimitTools {
  readonly gpu: Gpu;
  /** Machine code of the engine's unit `common`. */
  readonly common: Uint8Array;
  readonly dtype: CudaDtype;
  readonly libraryPath: string | undefined;
}

/** Takes half a second and up to 2 GiB, which are freed. */
export function measureGpuLimits({ gpu, common, dtype, libraryPath }: GpuLimitTools): GpuLimits {
  const { driver, properties } = gpu;
  const stream = createStream(driver);
  const kernels = createKernels(driver, properties.computeCapability);
  kernels.load('common', common);
  const matrixBytes = MATMUL_SIZE * MATMUL_SIZE * 2;
  const readBytes = Math.max(
    3 * matrixBytes,
    Math.min(READ_BYTES, Math.floor(gpu.memoryInfo().freeBytes / 8) * 4),
  );
  const data = gpu.allocate(readBytes, 'measuring the read rate');
  const workspace = gpu.allocate(MATMUL_WORKSPACE_BYTES, 'cuBLASLt');
  const matmuls = openCublasLt({ address: workspace, byteLength: MATMUL_WORKSPACE_BYTES }, libraryPath);
  const bestMs = (enqueue: () => void): number => {
    enqueue(); // the first run loads code and wakes clocks
    return fastestMs(driver, stream, ROUNDS, enqueue);
  };
  stream.fillWords(data, 0, readBytes / 4);
  const readMs = bestMs(() => {
    const args = READ_LIMIT_ARGS.of({ data, out: workspace, pieces: Math.floor(readBytes / 16) });
    const grid = [properties.multiprocessorCount * READ_BLOCKS_PER_MULTIPROCESSOR, 1, 1] as const;
    const size = { grid, blockThreads: READ_THREADS, sharedBytes: 0 };
    kernels.launch(stream, { unit: 'common', kernel: 'read_limit', ...size, args }, false);
  });
  stream.fillWords(data, PATTERN, (2 * matrixBytes) / 4);
  const shape = { m: MATMUL_SIZE, n: MATMUL_SIZE, k: MATMUL_SIZE, inputDtype: dtype, outputDtype: dtype };
  const pointers = { x: data, weight: data + matrixBytes, out: data + 2 * matrixBytes };
  const matmulMs = bestMs(() => matmuls.matmul(stream, shape, pointers));
  matmuls.dispose();
  kernels.dispose();
  stream.dispose();
  gpu.free(data);
  gpu.free(workspace);
  return { readGBps: readBytes / readMs / 1e6, matmulGflops: (2 * MATMUL_SIZE ** 3) / matmulMs / 1e6 };
}
