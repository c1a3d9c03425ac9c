import { rowOf, zeroMatrix, type Matrix } from '../matrix.js';

/**
 * Gated linear unit with GELU, Shazeer 2020 (arXiv:2002.05202), in the tanh form of Hendrycks and Gimpel 2016
 * (arXiv:1606.08415): out = gelu(gate) * up.
 * @param gateUp [rows, 2 * inter] f32: gate in the first half of the columns, up in the second
 * @returns [rows, inter] f32
 */
export function gegluReference(gateUp: Matrix): Matrix {
  const inter = gateUp.columnCount / 2;
  const out = zeroMatrix(gateUp.rowCount, inter);
  for (let row = 0; row < gateUp.rowCount; row++) {
    const input = rowOf(gateUp, row);
    const output = rowOf(out, row);
    for (let column = 0; column < inter; column++)
      output[column] = gelu(input[column]!) * input[inter + column]!;
  }
  return out;
}

/** (1 + tanh(u)) / 2 is 1 / (1 + exp(-2 u)), which keeps its digits where tanh(u) is near -1. */
const gelu = (x: number): number => x / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
