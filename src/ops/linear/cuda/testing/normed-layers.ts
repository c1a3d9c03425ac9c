/** A linear layer, a norm and another layer, where the layers do the norm's work, and how far that is from the reference. */
import { seededRandom } from '../../../../core/random.js';
import type { WeightFormat } from '../../../../plan/weight-format.js';
import type { Matrix } from '../../../matrix.js';
import { addRmsNormReference } from '../../../rms-norm/reference.js';
import { swigluReference } from '../../../swiglu/reference.js';
import { roundActivations } from '../../../testing/activations.js';
import { relativeError } from '../../../testing/compare.js';
import { linearReference } from '../../reference.js';
import type { NormAfter, NormBefore } from '../method.js';
import type { LinearConfig } from '../methods.js';
import { type CudaLinearProblem, outColumns } from '../problem.js';
import { MIN_X_MAP_ROWS } from '../row-classes.js';
import { squaresBytes } from '../shared-norms.js';
import { launchLinear, type LinearMachine } from './linear-machine.js';
import { randomActivations, uploadLinearWeights } from './uploaded-weights.js';

const EPSILON = 1e-5;

export interface NormedLayers {
  readonly before: CudaLinearProblem;
  readonly after: CudaLinearProblem;
  /** Largest weight of the norm, and of the residual before it. */
  readonly largestWeight: number;
  readonly largestResidual: number;
}

/** The layers of a model with `hidden` columns between them. */
export const normedLayers = (
  sizes: { readonly m: number; readonly hidden: number; readonly epilogue: CudaLinearProblem['epilogue'] },
  format: WeightFormat,
  largest: Pick<NormedLayers, 'largestWeight' | 'largestResidual'>,
): NormedLayers => {
  const { m, hidden, epilogue } = sizes;
  return {
    before: { m, n: hidden, k: 136, format, epilogue: 'store' },
    after: { m, n: 96, k: hidden, format, epilogue },
    ...largest,
  };
};

/** Largest differences from the reference, in units of the largest magnitude: of the residual after the addition, and of the result. */
export function normedErrors(
  kernels: LinearMachine,
  { before, after, largestWeight, largestResidual }: NormedLayers,
  configs: { readonly before: LinearConfig; readonly after: LinearConfig },
): { readonly residual: number; readonly result: number } {
  const { m, n: hidden } = before;
  const random = seededRandom(m + hidden);
  const scaled = ({ data, ...matrix }: Matrix, factor: number): Matrix => ({
    ...matrix,
    data: roundActivations(
      data.map((value) => value * factor),
      kernels.dtype,
    ),
  });
  const x = randomActivations(kernels, m, before.k, random);
  // The reference adds in place.
  const residual = scaled(randomActivations(kernels, m, hidden, random), largestResidual);
  const norm = scaled(randomActivations(kernels, 1, hidden, random), largestWeight).data;
  const bias = randomActivations(kernels, 1, after.n, random).data;
  const [first, second] = [before, after].map((problem) => uploadLinearWeights(kernels, problem, random));
  const reserved = (columns: number): number => kernels.reserve(2 * MIN_X_MAP_ROWS * columns);
  const [xAt, between] = [reserved(before.k), reserved(hidden)];
  kernels.write(xAt, x.data);
  const shared = {
    weight: kernels.uploadActivations(norm),
    squares: kernels.reserve(squaresBytes(hidden)),
  };
  const normAfter: NormAfter = { ...shared, residual: kernels.uploadActivations(residual.data) };
  const normBefore: NormBefore = { ...shared, epsilon: EPSILON };
  const isFloat = after.epilogue === 'f32';
  const columns = outColumns(after);
  const out = kernels.reserve(m * columns * (isFloat ? 4 : 2));
  const given = { xRows: MIN_X_MAP_ROWS, ...first! };
  launchLinear(kernels, before, configs.before, { ...given, x: xAt, bias: 0, out: between, normAfter });
  const biasAt = kernels.uploadActivations(bias);
  const taken = { xRows: MIN_X_MAP_ROWS, ...second! };
  launchLinear(kernels, after, configs.after, { ...taken, x: between, bias: biasAt, out, normBefore });

  const delta = roundActivations(linearReference(x, first!.values).data, kernels.dtype);
  const addend = { ...residual, data: delta };
  const normed = addRmsNormReference({ residual, delta: addend }, norm, EPSILON);
  const sum = kernels.activations(normAfter.residual, m * hidden);
  const found = isFloat ? kernels.floats(out, m * columns) : kernels.activations(out, m * columns);
  const product = linearReference(normed, second!.values, bias);
  return {
    residual: relativeError(sum, residual.data),
    result: relativeError(found, (after.epilogue === 'swiglu' ? swigluReference(product) : product).data),
  };
}
