import type { DType } from './dtype.js';

/** A dense row-major tensor in host memory. `bytes` may be a view over a mapped file: treat it as read-only. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}
