/** Arguments of the kernels in cuda/limits.cu and cuda/random.cu. */
import { Struct } from '../struct.js';

export const READ_LIMIT_ARGS = new Struct('ReadLimitArgs', 'cuda/limits.cu', {
  data: 'address',
  out: 'address',
  pieces: 'i32',
});

export const FILL_ARGS = new Struct('FillArgs', 'cuda/random.cu', {
  out: 'address',
  words: 'u64',
  amplitude: 'f32',
  seed: 'i32',
  tileWords: 'i32',
  scales: 'i32',
});
