import type { Matrix } from '../matrix.js';

/** x = cap * tanh(x / cap), in place: the soft cap of Gemma 2 (arXiv:2408.00118). */
export function softCapReference(x: Matrix, cap: number): void {
  x.data.forEach((value, i) => (x.data[i] = cap * Math.tanh(value / cap)));
}
