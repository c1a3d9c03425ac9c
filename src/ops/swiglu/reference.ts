import { rowOf, zeroMatrix, type Matrix } from '../matrix.js';

/**
 * Gated linear unit with SiLU, Shazeer 2020 (arXiv:2002.05202): out = gate / (1 + exp(-gate)) * up.
 * @param gateUp [rows, 2 * inter] f32: gate in the first half of the columns, up in the second
 * @returns [rows, inter] f32
 */
export function swigluReference(gateUp: Matrix): Matrix {
  const inter = gateUp.columnCount / 2;
  const out = zeroMatrix(gateUp.rowCount, inter);
  for (let row = 0; row < gateUp.rowCount; row++) {
    const input = rowOf(gateUp, row);
    const output = rowOf(out, row);
    for (let column = 0; column < inter; column++) {
      const gate = input[column]!;
      output[column] = (gate / (1 + Math.exp(-gate))) * input[inter + column]!;
    }
  }
  return out;
}
