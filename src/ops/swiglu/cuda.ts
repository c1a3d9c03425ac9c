/** CUDA launch of SwiGLU. */
import { ceilDiv, i32, type KernelLaunch, pointer } from '../cuda/launch.js';
import { SMALL_THREADS, smallLaunch, VECTOR } from '../cuda/small-launch.js';

export function swigluLaunch(rows: number, inter: number, gateUp: number, out: number): KernelLaunch {
  const blocks = ceilDiv(inter, SMALL_THREADS * VECTOR);
  return smallLaunch('swiglu', [blocks, rows, 1], [pointer(gateUp), pointer(out), i32(inter)]);
}
