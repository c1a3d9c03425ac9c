/** Experts with random weights on a GPU, or a host in its place, and how far they are from the reference. */
import { type RandomSource, seededRandom } from '../../../core/random.js';
import { type FormatName, NAMED_FORMATS } from '../../../plan/weight-format.js';
import { packInt4 } from '../../linear/cuda/testing/int4-matrix.js';
import type { LinearMachine } from '../../linear/cuda/testing/linear-machine.js';
import { storedWeights } from '../../linear/cuda/stored-weights.js';
import { quantiseFp8Row, quantiseRow, restoreFp8 } from '../../linear/reference.js';
import { type Matrix, randomMatrix, rowOf } from '../../matrix.js';
import { roundActivations } from '../../testing/activations.js';
import { relativeError } from '../../testing/compare.js';
import { expertDownLaunch, expertGateUpLaunch } from '../cuda.js';
import { expertDownReference, expertGateUpReference, routeReference } from '../reference.js';

export interface ExpertSizes {
  readonly tokens: number;
  readonly experts: number;
  readonly perToken: number;
  /** Multiples of 8. */
  readonly hidden: number;
  readonly inter: number;
}

/** Names of the formats in which kernels read experts; `dense` follows the activations. */
export const EXPERT_WEIGHTS = [
  ...(['dense', 'int8', 'fp8', 'int4', 'int4_g64', 'int4_g32'] as const),
  ...(['int4_zeros', 'int4_g64_zeros', 'int4_g32_zeros'] as const),
];
export type ExpertWeights = (typeof EXPERT_WEIGHTS)[number];

/** The result is rounded once; sums of products are in f32. */
export const EXPERT_ROUNDINGS = 2;

/** Rows that end inside of a tile, so that up, and every second expert, begin inside of one; rows of more tiles than warps. */
export const EXPERT_SIZES = {
  small: { tokens: 19, experts: 6, perToken: 3, hidden: 264, inter: 72 },
  wide: { tokens: 3, experts: 4, perToken: 2, hidden: 1160, inter: 200 },
} as const satisfies Record<string, ExpertSizes>;

/** Format of the weights beside activations of a type. */
export const expertFormat = (weights: ExpertWeights, dtype: 'f16' | 'bf16'): FormatName =>
  weights === 'dense' ? dtype : weights;

/** Errors of both halves of the layer, as {@link relativeError}; the second half is given what the kernel made in the first. */
export function expertErrors(
  kernels: LinearMachine,
  weights: ExpertWeights,
  { tokens, experts, perToken, hidden, inter }: ExpertSizes,
): { readonly gateUp: number; readonly down: number } {
  const format = expertFormat(weights, kernels.dtype);
  const stored = storedWeights(NAMED_FORMATS[format]);
  const random = seededRandom(tokens);
  const x = randomMatrix(tokens, hidden, random);
  const data = roundActivations(x.data, kernels.dtype);
  const logits = randomMatrix(tokens, experts, random);
  const routes = routeReference(logits, { expertsPerToken: perToken, isNormalised: true });
  const gateUp = uploadExperts(kernels, [experts * 2 * inter, hidden], format, random);
  const down = uploadExperts(kernels, [experts * hidden, inter], format, random);
  const routesAt = kernels.upload(routes.data);
  const gatedAt = kernels.reserve(2 * tokens * perToken * inter);
  const out = kernels.reserve(2 * tokens * hidden);
  const shared = { routes: routesAt, perToken };

  kernels.sink.kernel(
    expertGateUpLaunch(tokens, stored, {
      ...shared,
      x: kernels.uploadActivations(data),
      weight: gateUp.weight,
      scale: gateUp.scale,
      out: gatedAt,
      in: hidden,
      columns: inter,
    }),
  );
  const expected = expertGateUpReference({ ...x, data }, routes, gateUp.values, experts);
  const gated = kernels.activations(gatedAt, expected.data.length);

  kernels.sink.kernel(
    expertDownLaunch(tokens, stored, {
      ...shared,
      x: gatedAt,
      weight: down.weight,
      scale: down.scale,
      out,
      in: inter,
      columns: hidden,
    }),
  );
  const result = expertDownReference({ ...expected, data: gated }, routes, down.values, experts);
  return {
    gateUp: relativeError(gated, expected.data),
    down: relativeError(kernels.activations(out, result.data.length), result.data),
  };
}

/** Random matrices of all experts where kernels read them, and the values that they have there. */
function uploadExperts(
  kernels: LinearMachine,
  [rows, columns]: readonly [number, number],
  name: FormatName,
  random: RandomSource,
): { readonly weight: number; readonly scale: number; readonly values: Matrix } {
  const { kind, groups } = storedWeights(NAMED_FORMATS[name]);
  if (groups !== undefined) {
    const { values, tiles } = packInt4(groups, rows, columns, random);
    return { weight: kernels.upload(tiles), scale: 0, values };
  }
  const matrix = randomMatrix(rows, columns, random);
  if (kind === 'dense') {
    const data = roundActivations(matrix.data, kernels.dtype);
    return { weight: kernels.uploadActivations(data), scale: 0, values: { ...matrix, data } };
  }
  const lines = Array.from({ length: rows }, (_, row) => rowOf(matrix, row));
  const packed = kind === 'fp8' ? lines.map(fp8Row) : lines.map(int8Row);
  const codes = Uint8Array.from(packed.flatMap((row) => Array.from(row.codes)));
  const scales = Float32Array.from(packed, ({ scale }) => scale);
  const data = Float32Array.from(packed.flatMap(({ values }) => Array.from(values)));
  return { weight: kernels.upload(codes), scale: kernels.upload(scales), values: { ...matrix, data } };
}

function int8Row(row: Float32Array) {
  const { quantised, scale } = quantiseRow(row);
  const values = Float32Array.from(quantised, (code) => code * scale);
  return { codes: new Uint8Array(quantised.buffer), scale, values };
}

function fp8Row(row: Float32Array) {
  const fp8 = quantiseFp8Row(row);
  return { ...fp8, values: restoreFp8(fp8) };
}
