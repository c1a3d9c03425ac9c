/** CUDA launches of elementwise additions: a residual, and a bias to each row. */
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import { SMALL_THREADS, smallLaunch, VECTOR } from '../cuda/small-launch.js';
import { Struct } from '../struct.js';

export const ADD_ARGS = new Struct('AddArgs', 'add/add.cu', {
  residual: 'address',
  delta: 'address',
  vectors: 'i32',
});

export const ADD_BIAS_ARGS = new Struct('AddBiasArgs', 'add/add.cu', {
  out: 'address',
  bias: 'address',
  columns: 'i32',
});

export function addLaunch(count: number, residual: number, delta: number): KernelLaunch {
  const vectors = ceilDiv(count, VECTOR);
  return smallLaunch(
    'add',
    [ceilDiv(vectors, SMALL_THREADS), 1, 1],
    ADD_ARGS.of({ residual, delta, vectors }),
  );
}

export function addBiasLaunch(rows: number, columns: number, out: number, bias: number): KernelLaunch {
  const blocks = ceilDiv(columns, SMALL_THREADS * VECTOR);
  return smallLaunch('add_bias', [blocks, rows, 1], ADD_BIAS_ARGS.of({ out, bias, columns }));
}
