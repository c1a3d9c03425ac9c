/** Where launches go: to a stream at once, or into a graph that is being captured. */
import type { CudaDtype } from './dtype.js';
import type { KernelLaunch } from './launch.js';

/** out[m, n] = x[m, k] · weight[n, k]ᵀ by the matrix library, all row-major, 16-bit inputs, f32 sums. */
export interface MatmulShape {
  /** Rows of x. */
  readonly m: number;
  /** Output features. */
  readonly n: number;
  /** Input features. */
  readonly k: number;
  readonly inputDtype: CudaDtype;
  readonly outputDtype: CudaDtype | 'f32';
}

/** Device addresses of a product's matrices. */
export interface MatmulPointers {
  readonly x: number;
  readonly weight: number;
  readonly out: number;
}

/** An exchange between ranks by a library. Addresses are those of device memory; counts are those of one rank's values. */
export type LibraryExchange =
  | {
      readonly kind: 'allReduce';
      /** Summed in place. */
      readonly x: number;
      readonly count: number;
      readonly dtype: CudaDtype;
    }
  /** f32 of all ranks, one after the other. */
  | { readonly kind: 'allGather'; readonly x: number; readonly out: number; readonly count: number }
  /** Integers of 32 bits from rank 0 to all. */
  | { readonly kind: 'broadcast'; readonly x: number; readonly count: number };

export interface LaunchSink {
  /** Names the op that the next launches belong to, by its index in the plan; the number of ops stands for sampling. Only profiles listen. */
  startOp?(index: number): void;
  kernel(launch: KernelLaunch): void;
  /** @param algorithm index into the library's proposals for the shape; 0 is its first */
  matmul(shape: MatmulShape, pointers: MatmulPointers, algorithm: number): void;
  /** Absent where no library connects ranks. */
  exchange?(call: LibraryExchange): void;
}
