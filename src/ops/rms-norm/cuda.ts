/** CUDA launches of RMSNorm, by itself and with the addition before it: a block a row. */
import type { KernelLaunch } from '../cuda/launch.js';
import { smallLaunch } from '../cuda/small-launch.js';
import { Struct } from '../struct.js';

export const RMS_NORM_ARGS = new Struct('RmsNormArgs', 'rms-norm/rms-norm.cu', {
  x: 'address',
  delta: 'address',
  weight: 'address',
  out: 'address',
  epsilon: 'f32',
});

/** @param o addresses; `delta` is added to x before, where there is one */
export function rmsNormLaunch(
  rows: number,
  epsilon: number,
  o: { readonly x: number; readonly delta: number | null; readonly weight: number; readonly out: number },
): KernelLaunch {
  const { x, delta, weight, out } = o;
  return smallLaunch(
    delta === null ? 'rms_norm' : 'add_rms_norm',
    [rows, 1, 1],
    RMS_NORM_ARGS.of({ x, delta: delta ?? 0, weight, out, epsilon }),
  );
}
