/** The tensors that a linear weight becomes in a CPU engine, by element. The bytes are described in linear.h. */
import type { DType } from '../../../core/dtype.js';
import {
  codeDtype,
  elementOf,
  groupsOf,
  hasOrder,
  type QuantisedFormat,
  type WeightElement,
  type WeightFormat,
} from '../../../plan/weight-format.js';
import { DTYPE_CODE } from '../../cpu/dtype-code.js';

/** Rows of a tile. */
export const TILE_ROWS = 16;

/** Numbers of elements in native calls: `enum class LinearFormat` in linear.h. */
export const LINEAR_FORMAT_CODE: Readonly<Record<WeightElement, number>> = {
  ...DTYPE_CODE,
  int8: 3,
  int4: 4,
  fp8: 5,
};

/** Inputs of a group in native calls; 0 in formats without groups. */
export function groupSize(format: WeightFormat): number {
  return format.type === 'quantised' ? (format.group ?? 0) : 0;
}

export interface PackedLinearTensor {
  /** Appended to the weight's name. */
  readonly suffix: '' | '.scale' | '.sum' | '.zero' | '.order';
  readonly dtype: DType;
  readonly shape: readonly number[];
}

type PackedTensors = (
  outCount: number,
  inCount: number,
  format: WeightFormat,
) => readonly PackedLinearTensor[];

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
  int4: groupedInputs,
  fp8: (outCount, inCount) => [
    { suffix: '', dtype: 'f8e4m3', shape: [tilesOf(outCount), paddedInputs(inCount), TILE_ROWS] },
    { suffix: '.scale', dtype: 'f32', shape: [tilesOf(outCount) * TILE_ROWS] },
  ],
};

/** Two codes are a byte, and the scales and zeros of a group of a tile's rows lie together. */
function groupedInputs(outCount: number, inCount: number, format: WeightFormat): PackedLinearTensor[] {
  const quantised = format as QuantisedFormat;
  const groups = [tilesOf(outCount), groupsOf(quantised, inCount), TILE_ROWS];
  const tensors: PackedLinearTensor[] = [
    { suffix: '', dtype: 'u8', shape: [tilesOf(outCount), Math.ceil(inCount / 64) * 8, TILE_ROWS, 4] },
    { suffix: '.scale', dtype: 'f16', shape: groups },
  ];
  if (quantised.hasZeros) tensors.push({ suffix: '.zero', dtype: 'u8', shape: groups });
  if (hasOrder(format)) tensors.push({ suffix: '.order', dtype: 'i32', shape: [inCount] });
  return tensors;
}

/**
 * Packed tensors of a [outCount, inCount] weight, in the order in which the packers fill them. Rows are padded to whole
 * tiles of 16. int8 adds a scale and the sum of the quantised values of each row, fp8 a scale of each row, int4 a scale and
 * perhaps a zero of each group, and the order of its codes where they have one.
 */
export function packedLinearTensors(
  format: WeightFormat,
  outCount: number,
  inCount: number,
): readonly PackedLinearTensor[] {
  return PACKED_TENSORS[elementOf(format)](outCount, inCount, format);
}

/** Tensors of a matrix row by row: its numbers, and of quantised ones a scale for each row. */
export function rowTensors(
  format: WeightFormat,
  rows: number,
  columns: number,
): readonly PackedLinearTensor[] {
  const shape = [rows, columns];
  if (format.type === 'dense') return [{ suffix: '', dtype: format.dtype, shape }];
  return [
    { suffix: '', dtype: codeDtype(format), shape },
    { suffix: '.scale', dtype: 'f32', shape: [rows] },
  ];
}

/** Addresses of a packed weight's tensors; 0 for those that its format does not have. */
export interface PackedAddresses {
  readonly weight: number;
  readonly scale: number;
  readonly sum: number;
  readonly zero: number;
  readonly order: number;
}

/** Finds a packed weight's tensors by name. */
export function packedAddresses(
  name: string,
  format: WeightFormat,
  tensorAddress: (name: string) => number,
): PackedAddresses {
  return addressesOf(packedLinearTensors(format, TILE_ROWS, 1), ({ suffix }) => tensorAddress(name + suffix));
}

/** The addresses of packed tensors by their suffixes. */
export function addressesOf(
  tensors: readonly PackedLinearTensor[],
  addressAt: (tensor: PackedLinearTensor, index: number) => number,
): PackedAddresses {
  const found = new Map(tensors.map((tensor, index) => [tensor.suffix, addressAt(tensor, index)]));
  const of = (suffix: PackedLinearTensor['suffix']): number => found.get(suffix) ?? 0;
  return { weight: of(''), scale: of('.scale'), sum: of('.sum'), zero: of('.zero'), order: of('.order') };
}
