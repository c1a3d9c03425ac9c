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
