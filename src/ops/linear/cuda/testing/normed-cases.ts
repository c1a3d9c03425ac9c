/** Norms between linear layers that the layers do, for tests on a host and on a GPU. */
import { type FormatName, NAMED_FORMATS } from '../../../../plan/weight-format.js';
import type { CudaTarget } from '../../../cuda/capability.js';
import type { CudaDtype } from '../../../cuda/dtype.js';
import { roundoff } from '../../../testing/activations.js';
import type { GeneratedKernel } from '../method.js';
import { type LinearConfig, methodOf, METHODS } from '../methods.js';
import type { LinearMachine } from './linear-machine.js';
import { normedErrors, type NormedLayers, normedLayers } from './normed-layers.js';

const ROWS = [1, 3, 8, 9, 16];
const HIDDEN = [64, 320];
const EPILOGUES = ['store', 'f32', 'swiglu'] as const;
/** With the last, weights times residual are larger than an f16; gate times up would be, too, whoever computes the norm. */
const LARGEST = [
  { largestWeight: 1, largestResidual: 1 },
  { largestWeight: 0.01, largestResidual: 0.02 },
  { largestWeight: 25, largestResidual: 3000 },
];
const MAX_GATED_WEIGHT = 1;
/** What sums in f32 lose, and roundings: of the layer's result, of x; SwiGLU rounds gate and up as well. */
const SUM_TOLERANCE = 4e-4;
const ROUNDINGS = { f32: 1, store: 2, swiglu: 4 } as const;
/** The addend is rounded, and so is the sum. */
const RESIDUAL_ROUNDINGS = 2;

export const NORMED_CASES = [
  ['f16', 'f16'],
  ['f16', 'int8'],
  ['f16', 'int4'],
  ['bf16', 'bf16'],
  ['bf16', 'int4_g32_zeros'],
] as const satisfies readonly (readonly [CudaDtype, FormatName])[];

export const layersOf = (name: FormatName): readonly NormedLayers[] =>
  EPILOGUES.flatMap((epilogue) =>
    HIDDEN.flatMap((hidden) =>
      LARGEST.filter(
        ({ largestWeight }) => epilogue !== 'swiglu' || largestWeight <= MAX_GATED_WEIGHT,
      ).flatMap((largest) =>
        ROWS.map((m) => normedLayers({ m, hidden, epilogue }, NAMED_FORMATS[name], largest)),
      ),
    ),
  );

const configsOf = (
  { before, after }: NormedLayers,
  target: CudaTarget,
): { readonly before: LinearConfig; readonly after: LinearConfig } => ({
  before: METHODS.ring.builtIn(before, target)!,
  after: METHODS.ring.builtIn(after, target)!,
});

/** The kernels of all cases, each once. */
export function normedKernels(all: readonly NormedLayers[], target: CudaTarget): readonly GeneratedKernel[] {
  const kernels = all.flatMap((layers) => {
    const { before, after } = configsOf(layers, target);
    return [
      methodOf(before).normedKernel!(before, layers.before),
      methodOf(after).kernel(after, layers.after)!,
    ];
  });
  return [...new Map(kernels.map((kernel) => [kernel.name, kernel])).values()];
}

/** Sentences about results that are too far from the reference's. */
export function normedFaults(
  kernels: LinearMachine & { readonly target: CudaTarget },
  layers: NormedLayers,
): readonly string[] {
  const { residual, result } = normedErrors(kernels, layers, configsOf(layers, kernels.target));
  const { after, largestResidual } = layers;
  const name = `${after.m} rows of ${after.k}, residual up to ${largestResidual}, ${after.epilogue}`;
  const unit = 1.1 * roundoff(kernels.dtype);
  return [
    ...(residual <= RESIDUAL_ROUNDINGS * unit + SUM_TOLERANCE
      ? []
      : [`${name}: residual off by ${residual}`]),
    ...(result <= ROUNDINGS[after.epilogue] * unit + SUM_TOLERANCE ? [] : [`${name}: off by ${result}`]),
  ];
}
