/** Launches of small kernels of the unit `common`: they move as many bytes as they must and no more. */
import type { StructValue } from '../struct.js';
import type { KernelLaunch } from './launch.js';

/** Values of 16 bits that a thread moves at once. */
export const VECTOR = 8;
export const SMALL_THREADS = 256;

export function smallLaunch(kernel: string, grid: KernelLaunch['grid'], args: StructValue): KernelLaunch {
  return { unit: 'common', kernel, grid, blockThreads: SMALL_THREADS, sharedBytes: 0, args };
}
