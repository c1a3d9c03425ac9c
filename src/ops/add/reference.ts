/** Add: residual += delta, both [rows, columns]. In f32 every implementation gives the same bits. */
import type { Matrix } from '../matrix.js';

/** residual += delta, in place.  Both [rows, columns] f32. */
export function addReference(residual: Matrix, delta: Matrix): void {
  delta.data.forEach((value, index) => (residual.data[index]! += value));
}
