/** A kernel launch as data: op folders compute it, the CUDA device performs it. */
import type { StructValue } from '../struct.js';

/** A `CUtensorMap` by value: 128 bytes that say how the bulk copy engine reads a matrix. */
export type TensorMap = Uint8Array;

export interface KernelLaunch {
  /** Compiled unit that holds the kernel. */
  readonly unit: string;
  /** The kernel's `extern "C"` name. */
  readonly kernel: string;
  readonly grid: readonly [number, number, number];
  readonly blockThreads: number;
  /** Dynamic shared memory. */
  readonly sharedBytes: number;
  /** The kernel's one parameter. */
  readonly args: StructValue;
}

export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}
