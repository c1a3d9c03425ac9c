import { rowOf, zeroMatrix, type Matrix } from '../matrix.js';
import { addReference } from '../add/reference.js';

/**
 * Root mean square layer normalisation, Zhang and Sennrich 2019 (arXiv:1910.07467):
 * out = x / sqrt(mean(x²) + epsilon) * weight, per row.
 * @param x [rows, hidden] f32
 * @param weight [hidden] f32
 * @returns [rows, hidden] f32
 */
export function rmsNormReference(x: Matrix, weight: Float32Array, epsilon: number): Matrix {
  const out = zeroMatrix(x.rowCount, x.columnCount);
  for (let row = 0; row < x.rowCount; row++) {
    const input = rowOf(x, row);
    const output = rowOf(out, row);
    let squares = 0;
    for (const value of input) squares += value * value;
    const scale = 1 / Math.sqrt(squares / input.length + epsilon);
    input.forEach((value, column) => (output[column] = value * scale * weight[column]!));
  }
  return out;
}

/** residual += delta in place, then the norm of residual.  All [rows, hidden] f32. */
export function addRmsNormReference(
  sum: { readonly residual: Matrix; readonly delta: Matrix },
  weight: Float32Array,
  epsilon: number,
): Matrix {
  addReference(sum.residual, sum.delta);
  return rmsNormReference(sum.residual, weight, epsilon);
}
