/** Gather: out[i] = x[rows[i]], x [any, columns], rows [count] i32, out [count, columns]. Copies bits. */
import { rowOf, zeroMatrix, type Matrix } from '../matrix.js';

/**
 * out[i] = x[rows[i]].
 * @param x [tokens, hidden] f32
 * @param rows [n] indices of rows of x
 * @returns [n, hidden] f32
 */
export function gatherReference(x: Matrix, rows: Int32Array): Matrix {
  const out = zeroMatrix(rows.length, x.columnCount);
  rows.forEach((row, index) => rowOf(out, index).set(rowOf(x, row)));
  return out;
}
