/** CUDA launches of RMSNorm, by itself and with the addition before it: a block a row. */
import { f32, type KernelLaunch, pointer } from '../cuda/launch.js';
import { smallLaunch } from '../cuda/small-launch.js';

export function rmsNormLaunch(
  rows: number,
  epsilon: number,
  o: { readonly x: number; readonly delta: number | null; readonly weight: number; readonly out: number },
): KernelLaunch {
  const inputs = o.delta === null ? [o.x] : [o.x, o.delta];
  return smallLaunch(
    o.delta === null ? 'rms_norm' : 'add_rms_norm',
    [rows, 1, 1],
    [...inputs.map(pointer), pointer(o.weight), f32(epsilon), pointer(o.out)],
  );
}
