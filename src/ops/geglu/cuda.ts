/** CUDA launch of GeGLU. */
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import { SMALL_THREADS, smallLaunch, VECTOR } from '../cuda/small-launch.js';
import { Struct } from '../struct.js';

export const GEGLU_ARGS = new Struct('GegluArgs', 'geglu/geglu.cu', {
  gateUp: 'address',
  out: 'address',
  inter: 'i32',
});

export function gegluLaunch(rows: number, inter: number, gateUp: number, out: number): KernelLaunch {
  const blocks = ceilDiv(inter, SMALL_THREADS * VECTOR);
  return smallLaunch('geglu', [blocks, rows, 1], GEGLU_ARGS.of({ gateUp, out, inter }));
}
