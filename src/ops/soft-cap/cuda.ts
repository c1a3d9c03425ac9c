/** CUDA launch of the soft cap of logits. */
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import { SMALL_THREADS, smallLaunch } from '../cuda/small-launch.js';
import { Struct } from '../struct.js';

export const SOFT_CAP_ARGS = new Struct('SoftCapArgs', 'soft-cap/soft-cap.cu', {
  x: 'address',
  columns: 'i32',
  cap: 'f32',
});

export function softCapLaunch(rows: number, columns: number, x: number, cap: number): KernelLaunch {
  const grid = [ceilDiv(columns, SMALL_THREADS), rows, 1] as const;
  return smallLaunch('soft_cap', grid, SOFT_CAP_ARGS.of({ x, columns, cap }));
}
