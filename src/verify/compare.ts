/** Numbers that say by how much logits differ. Pure. */
import { type Matrix, rowOf, zeroMatrix } from '../ops/matrix.js';

/**
 * Root mean square of the differences over that of the expected values, both without the mean of each row, which softmax
 * ignores.  [rows, vocabulary] both; not finite where `actual` is not
 */
export function relativeDifference(actual: Matrix, expected: Matrix): number {
  let [differences, values] = [0, 0];
  for (let row = 0; row < expected.rowCount; row++) {
    const [wanted, found] = [centred(rowOf(expected, row)), centred(rowOf(actual, row))];
    for (const [index, value] of wanted.entries()) {
      differences += (found[index]! - value) ** 2;
      values += value ** 2;
    }
  }
  return values === 0 ? Math.sqrt(differences) : Math.sqrt(differences / values);
}

function centred(row: Float32Array): Float64Array {
  const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
  return Float64Array.from(row, (value) => value - mean);
}

/** Rows whose largest logit is at the same token. */
export function sameTopCount(actual: Matrix, expected: Matrix): number {
  const rows = Array.from({ length: expected.rowCount }, (_, row) => row);
  return rows.filter((row) => largestAt(rowOf(actual, row)) === largestAt(rowOf(expected, row))).length;
}

function largestAt(row: Float32Array): number {
  return row.reduce((best, value, index) => (value > row[best]! ? index : best), 0);
}

/** exp of the mean negative log probability of each token after the first.  logits [tokens, vocabulary] */
export function perplexity(logits: Matrix, tokenIds: readonly number[]): number {
  const next = tokenIds.slice(1);
  const sum = next.reduce((total, id, row) => total + logProbability(rowOf(logits, row), id), 0);
  return Math.exp(-sum / next.length);
}

function logProbability(row: Float32Array, tokenId: number): number {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
  return row[tokenId]! - largest - Math.log(sum);
}

/** The first `columns` columns of some rows. */
export function pick(matrix: Matrix, rows: readonly number[], columns = matrix.columnCount): Matrix {
  const picked = zeroMatrix(rows.length, columns);
  for (const [index, row] of rows.entries())
    rowOf(picked, index).set(rowOf(matrix, row).subarray(0, columns));
  return picked;
}
