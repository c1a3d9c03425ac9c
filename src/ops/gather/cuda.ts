/** CUDA launch of the gather: a block a row. */
import { i32, type KernelLaunch, pointer } from '../cuda/launch.js';
import { smallLaunch } from '../cuda/small-launch.js';

export function gatherLaunch(
  count: number,
  columns: number,
  o: { readonly x: number; readonly rows: number; readonly out: number },
): KernelLaunch {
  return smallLaunch('gather', [count, 1, 1], [pointer(o.x), pointer(o.rows), pointer(o.out), i32(columns)]);
}
