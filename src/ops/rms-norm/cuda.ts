/** CUDA launches of RMSNorm, by itself and with the addition before it, with results as activations or in 8 bits: a block a row. */
import type { KernelLaunch } from '../cuda/launch.js';
import { smallLaunch } from '../cuda/small-launch.js';
import type { InputCodes } from '../linear/cuda/method.js';
import { Struct } from '../struct.js';

export const RMS_NORM_ARGS = new Struct('RmsNormArgs', 'rms-norm/rms-norm.cuh', {
  x: 'address',
  delta: 'address',
  weight: 'address',
  out: 'address',
  epsilon: 'f32',
});

export const RMS_NORM_CODES_ARGS = new Struct('RmsNormCodesArgs', 'rms-norm/rms-norm-codes.cu', {
  x: 'address',
  delta: 'address',
  weight: 'address',
  out: 'address',
  scale: 'address',
  epsilon: 'f32',
});

interface NormOperands {
  readonly x: number;
  /** Added to x before, where there is one. */
  readonly delta: number | null;
  readonly weight: number;
  readonly out: number;
}

const kernelOf = (delta: number | null): string => (delta === null ? 'rms_norm' : 'add_rms_norm');

/** @param o addresses */
export function rmsNormLaunch(rows: number, epsilon: number, o: NormOperands): KernelLaunch {
  const { x, delta, weight, out } = o;
  const args = RMS_NORM_ARGS.of({ x, delta: delta ?? 0, weight, out, epsilon });
  return smallLaunch(kernelOf(delta), [rows, 1, 1], args);
}

/** The same with results in 8 bits, and a scale for each row. @param o addresses */
export function rmsNormCodesLaunch(
  codes: InputCodes,
  rows: number,
  epsilon: number,
  o: NormOperands & { readonly scale: number },
): KernelLaunch {
  const { x, delta, weight, out, scale } = o;
  const args = RMS_NORM_CODES_ARGS.of({ x, delta: delta ?? 0, weight, out, scale, epsilon });
  return smallLaunch(`${kernelOf(delta)}_${codes}`, [rows, 1, 1], args);
}
