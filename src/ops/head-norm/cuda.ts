/** CUDA launch of the norm of query and key heads. */
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import { SMALL_THREADS, smallLaunch } from '../cuda/small-launch.js';
import { Struct } from '../struct.js';

export const HEAD_NORM_ARGS = new Struct('HeadNormArgs', 'head-norm/head-norm.cu', {
  qkv: 'address',
  queryWeight: 'address',
  keyWeight: 'address',
  heads: 'i32',
  kvHeads: 'i32',
  epsilon: 'f32',
});

const WARP = 32;

export function headNormLaunch(
  tokens: number,
  shape: { readonly headCount: number; readonly kvHeadCount: number; readonly epsilon: number },
  o: { readonly qkv: number; readonly queryWeight: number; readonly keyWeight: number },
): KernelLaunch {
  const { headCount: heads, kvHeadCount: kvHeads, epsilon } = shape;
  const blocks = ceilDiv((heads + kvHeads) * WARP, SMALL_THREADS);
  const { qkv, queryWeight, keyWeight } = o;
  const args = HEAD_NORM_ARGS.of({ qkv, queryWeight, keyWeight, heads, kvHeads, epsilon });
  return smallLaunch('head_norm', [blocks, tokens, 1], args);
}
