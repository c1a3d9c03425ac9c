/** CUDA launch of SwiGLU. */
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import { SMALL_THREADS, smallLaunch, VECTOR } from '../cuda/small-launch.js';
import { Struct } from '../struct.js';

export const SWIGLU_ARGS = new Struct('SwigluArgs', 'swiglu/swiglu.cu', {
  gateUp: 'address',
  out: 'address',
  inter: 'i32',
});

export function swigluLaunch(rows: number, inter: number, gateUp: number, out: number): KernelLaunch {
  const blocks = ceilDiv(inter, SMALL_THREADS * VECTOR);
  return smallLaunch('swiglu', [blocks, rows, 1], SWIGLU_ARGS.of({ gateUp, out, inter }));
}
