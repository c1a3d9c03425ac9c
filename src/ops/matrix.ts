import type { RandomSource } from '../core/random.js';

/** A dense row-major matrix of f32, which is what the references compute on. */
export interface Matrix {
  readonly rowCount: number;
  readonly columnCount: number;
  /** [rowCount, columnCount] f32 */
  readonly data: Float32Array;
}

export function zeroMatrix(rowCount: number, columnCount: number): Matrix {
  return { rowCount, columnCount, data: new Float32Array(rowCount * columnCount) };
}

/** A view of one row. */
export function rowOf(matrix: Matrix, row: number): Float32Array {
  return matrix.data.subarray(row * matrix.columnCount, (row + 1) * matrix.columnCount);
}

/** Uniform values in [-1, 1): for tests and benchmarks. */
export function randomMatrix(rowCount: number, columnCount: number, random: RandomSource): Matrix {
  return {
    rowCount,
    columnCount,
    data: Float32Array.from({ length: rowCount * columnCount }, () => 2 * random.next() - 1),
  };
}
