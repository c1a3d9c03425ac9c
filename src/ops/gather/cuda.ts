/** CUDA launch of the gather: a block a row. */
import type { KernelLaunch } from '../cuda/launch.js';
import { smallLaunch } from '../cuda/small-launch.js';
import { Struct, type ValuesOf } from '../struct.js';

export const GATHER_ARGS = new Struct('GatherArgs', 'gather/gather.cu', {
  x: 'address',
  rows: 'address',
  out: 'address',
  columns: 'i32',
});

export function gatherLaunch(
  count: number,
  columns: number,
  { x, rows, out }: Omit<ValuesOf<typeof GATHER_ARGS>, 'columns'>,
): KernelLaunch {
  return smallLaunch('gather', [count, 1, 1], GATHER_ARGS.of({ x, rows, out, columns }));
}
