/** The tensors that a linear weight becomes in a CPU engine, by element. The bytes are described in linear.h. */
import type { DType } from '../../../core/dtype.js';
import type { WeightElement } from '../../../plan/weight-format.js';
import { DTYPE_CODE } from '../../cpu/dtype-code.js';

/** Rows of a tile. */
export const TILE_ROWS = 16;

/** Numbers of elements in native calls: `enum class LinearFormat` in linear.h. */
export const LINEAR_FORMAT_CODE: Readonly<Record<WeightElement, number>> = { ...DTYPE_CODE, int8: 3 };

export interface PackedLinearTensor {
  /** Appended to the weight's name. */
  readonly suffix: '' | '.scale' | '.sum';
  readonly dtype: DType;
  readonly shape: readonly number[];
}

type PackedTensors = (outCount: number, inCount: number) => readonly PackedLinearTensor[];

const tilesOf = (outCount: number): number => Math.ceil(outCount / TILE_ROWS);
/** Inputs are padded to what an AMX tile of 16-bit numbers holds. */
const paddedInputs = (inCount: number): number => Math.ceil(inCount / 32) * 32;

const wholeInputs =
  (dtype: DType): PackedTensors =>
  (outCount, inCount) => [
    { suffix: '', dtype, shape: [tilesOf(outCount), paddedInputs(inCount), TILE_ROWS] },
  ];

const PACKED_TENSORS: Readonly<Record<WeightElement, PackedTensors>> = {
  f32: wholeInputs('f32'),
  f16: wholeInputs('f16'),
  bf16: (outCount, inCount) => [
    { suffix: '', dtype: 'bf16', shape: [tilesOf(outCount), paddedInputs(inCount) / 2, TILE_ROWS, 2] },
  ],
  int8: (outCount, inCount) => [
    { suffix: '', dtype: 'i8', shape: [tilesOf(outCount), Math.ceil(inCount / 64) * 16, TILE_ROWS, 4] },
    { suffix: '.scale', dtype: 'f32', shape: [tilesOf(outCount) * TILE_ROWS] },
    { suffix: '.sum', dtype: 'i32', shape: [tilesOf(outCount) * TILE_ROWS] },
  ],
};

/**
 * Packed tensors of a [outCount, inCount] weight, in the order in which the packers fill them. Rows are padded to whole
 * tiles of 16. int8 adds a scale and the sum of the quantised values of each row.
 */
export function packedLinearTensors(
  element: WeightElement,
  outCount: number,
  inCount: number,
): readonly PackedLinearTensor[] {
  return PACKED_TENSORS[element](outCount, inCount);
}

/** Addresses of a packed weight's tensors; 0 for those that its element does not have. */
export interface PackedAddresses {
  readonly weight: number;
  readonly scale: number;
  readonly sum: number;
}

/** Finds a packed weight's tensors by name. */
export function packedAddresses(
  name: string,
  element: WeightElement,
  tensorAddress: (name: string) => number,
): PackedAddresses {
  const suffixes = new Set(PACKED_TENSORS[element](TILE_ROWS, 1).map(({ suffix }) => suffix));
  const addressOf = (suffix: PackedLinearTensor['suffix']): number =>
    suffixes.has(suffix) ? tensorAddress(name + suffix) : 0;
  return { weight: addressOf(''), scale: addressOf('.scale'), sum: addressOf('.sum') };
}
