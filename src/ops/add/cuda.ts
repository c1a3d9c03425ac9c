/** CUDA launches of elementwise additions: a residual, and a bias to each row. */
import { ceilDiv, i32, type KernelLaunch, pointer } from '../cuda/launch.js';
import { SMALL_THREADS, smallLaunch, VECTOR } from '../cuda/small-launch.js';

export function addLaunch(count: number, residual: number, delta: number): KernelLaunch {
  const vectors = ceilDiv(count, VECTOR);
  return smallLaunch(
    'add',
    [ceilDiv(vectors, SMALL_THREADS), 1, 1],
    [pointer(residual), pointer(delta), i32(vectors)],
  );
}

export function addBiasLaunch(rows: number, columns: number, out: number, bias: number): KernelLaunch {
  const blocks = ceilDiv(columns, SMALL_THREADS * VECTOR);
  return smallLaunch('add_bias', [blocks, rows, 1], [pointer(out), pointer(bias), i32(columns)]);
}
