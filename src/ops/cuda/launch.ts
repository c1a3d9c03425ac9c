/** A kernel launch as data: op folders compute it, the CUDA device performs it. */

/** A `CUtensorMap` by value: 128 bytes that say how the bulk copy engine reads a matrix. */
export type TensorMap = Uint8Array;

/** One argument in its C type; device addresses are numbers below 2^53. */
export type KernelArgument =
  | { readonly type: 'pointer' | 'i32' | 'f32'; readonly value: number }
  | { readonly type: 'tensorMap'; readonly value: TensorMap };

export interface KernelLaunch {
  /** Compiled unit that holds the kernel. */
  readonly unit: string;
  /** The kernel's `extern "C"` name. */
  readonly kernel: string;
  readonly grid: readonly [number, number, number];
  readonly blockThreads: number;
  /** Dynamic shared memory. */
  readonly sharedBytes: number;
  readonly args: readonly KernelArgument[];
}

export const pointer = (value: number): KernelArgument => ({ type: 'pointer', value });
export const i32 = (value: number): KernelArgument => ({ type: 'i32', value });
export const f32 = (value: number): KernelArgument => ({ type: 'f32', value });
export const tensorMap = (value: TensorMap): KernelArgument => ({ type: 'tensorMap', value });

export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}
