/** Random weights of a linear layer where kernels read them. */
import type { RandomSource } from '../../../../core/random.js';
import { type Matrix, randomMatrix } from '../../../matrix.js';
import { roundActivations } from '../../../testing/activations.js';
import type { CudaLinearProblem } from '../problem.js';
import { storedWeights } from '../stored-weights.js';
import { packBytes } from './byte-matrix.js';
import { packInt4 } from './int4-matrix.js';
import type { LinearMachine } from './linear-machine.js';

interface UploadedWeights {
  readonly values: Matrix;
  /** Addresses; the scales' is 0 where rows have none. */
  readonly weight: number;
  readonly scale: number;
}

export function uploadLinearWeights(
  kernels: LinearMachine,
  { n, k, format }: Pick<CudaLinearProblem, 'n' | 'k' | 'format'>,
  random: RandomSource,
): UploadedWeights {
  const { groups, isTiled } = storedWeights(format);
  if (groups !== undefined) {
    const { values, tiles } = packInt4(groups, n, k, random);
    return { values, weight: kernels.upload(tiles), scale: 0 };
  }
  if (isTiled) {
    const { values, tiles, scales } = packBytes(format, n, k, random);
    return { values, weight: kernels.upload(tiles), scale: kernels.upload(scales) };
  }
  const values = randomActivations(kernels, n, k, random);
  return { values, weight: kernels.uploadActivations(values.data), scale: 0 };
}

/** Random numbers that activations hold. */
export function randomActivations(
  { dtype }: LinearMachine,
  rows: number,
  columns: number,
  random: RandomSource,
): Matrix {
  const { data } = randomMatrix(rows, columns, random);
  return { rowCount: rows, columnCount: columns, data: roundActivations(data, dtype) };
}
