/** Formats of the weights that CUDA kernels of linear layers read, and how each lies in device memory. */
import { AloftError } from '../../../core/errors.js';
import {
  formatText,
  isQuantised,
  NAMED_FORMATS,
  QUANTISED_FORMATS,
  sameFormat,
  type WeightFormat,
} from '../../../plan/weight-format.js';
import { int4Tile, type Int4Groups } from './int4-tiles.js';
import { BYTE_TILE, INT8_OFFSET, type TileSize } from './tiles.js';

export interface StoredWeights {
  readonly kind: 'dense' | 'int8' | 'int4' | 'fp8';
  /** Word in names of units and in keys of problems. Both 16-bit types have the same: an engine has activations of one type. */
  readonly key: 'dense' | 'int8' | 'fp8' | `int4g${number}${'' | 'z'}`;
  /** First template argument of the kernels, of `enum WeightFormat` in weights.cuh. */
  readonly templateArgument: string;
  /** Boxes of 16 rows by some columns that a copy brings: tiles, or parts of rows. */
  readonly tile: TileSize;
  /** Whether weights lie in tiles, or row by row. */
  readonly isTiled: boolean;
  /** Whether each row has a scale, in a tensor of its own. */
  readonly hasRowScales: boolean;
  /** Added to codes of a byte in the tiles. */
  readonly codeOffset: number;
  /** Groups of inputs that have scales, in the tiles; undefined for formats without. */
  readonly groups: Int4Groups | undefined;
  /** Kernel of the unit `common` that makes a dense copy for the matrix library; undefined for dense weights. */
  readonly dequantise: DequantiseKernel | undefined;
}

/** A kernel of a file, and the line that makes it where the file is a template. */
interface DequantiseKernel {
  readonly name: string;
  readonly file: string;
  readonly line?: string;
}

const DENSE: StoredWeights = {
  kind: 'dense',
  key: 'dense',
  templateArgument: 'DENSE',
  tile: { columns: 64, bytes: 2048 },
  isTiled: false,
  hasRowScales: false,
  codeOffset: 0,
  groups: undefined,
  dequantise: undefined,
};

const INT8: StoredWeights = {
  kind: 'int8',
  key: 'int8',
  templateArgument: 'INT8',
  tile: BYTE_TILE,
  isTiled: true,
  hasRowScales: true,
  codeOffset: INT8_OFFSET,
  groups: undefined,
  dequantise: {
    name: 'dequantise',
    file: 'linear/cuda/dequantise.cu',
    line: 'DEQUANTISE_KERNEL(dequantise, INT8)',
  },
};

const FP8: StoredWeights = {
  ...INT8,
  kind: 'fp8',
  key: 'fp8',
  templateArgument: 'FP8',
  codeOffset: 0,
  dequantise: {
    name: 'dequantise_fp8',
    file: 'linear/cuda/dequantise.cu',
    line: 'DEQUANTISE_KERNEL(dequantise_fp8, FP8)',
  },
};

function int4(groups: Int4Groups): StoredWeights {
  const { group, hasZeros } = groups;
  const key = `int4g${group}${hasZeros ? 'z' : ''}` as const;
  const templateArgument = `INT4_G${group}${hasZeros ? '_ZEROS' : ''}`;
  const name = `dequantise_${key}`;
  const line = `DEQUANTISE_INT4_KERNEL(${name}, ${templateArgument})`;
  return {
    kind: 'int4',
    key,
    templateArgument,
    tile: int4Tile(groups),
    isTiled: true,
    hasRowScales: false,
    codeOffset: 0,
    groups,
    dequantise: { name, file: 'linear/cuda/dequantise-int4.cu', line },
  };
}

const { f16, bf16, int8, fp8 } = NAMED_FORMATS;
const STORED: readonly (readonly [format: WeightFormat, stored: StoredWeights])[] = [
  [f16, DENSE],
  [bf16, DENSE],
  [int8, INT8],
  [fp8, FP8],
  ...[...QUANTISED_FORMATS.values()].flatMap((format) =>
    format.element === 'int4' && format.group !== null
      ? [[format, int4({ group: format.group, hasZeros: format.hasZeros })] as const]
      : [],
  ),
];

/** Formats that kernels of linear layers read. Codes in act order lie as others do: their inputs are ordered before a product. */
export const LINEAR_FORMATS: readonly WeightFormat[] = STORED.flatMap(([format]) =>
  isQuantised(format) && format.group !== null ? [format, { ...format, hasOrder: true }] : [format],
);

/** Those that were asked for before: whoever binds a plan asks thousands of times for a few formats. */
const KNOWN = new WeakMap<WeightFormat, StoredWeights>();

/** @throws {AloftError} UNSUPPORTED for a format that no kernel reads; a build checks for those before it begins */
export function storedWeights(format: WeightFormat): StoredWeights {
  const known = KNOWN.get(format);
  if (known !== undefined) return known;
  const lying = isQuantised(format) ? { ...format, hasOrder: false } : format;
  const found = STORED.find(([one]) => sameFormat(one, lying));
  if (found === undefined)
    throw new AloftError('UNSUPPORTED', `No CUDA kernel multiplies weights in ${formatText(format)}.`);
  KNOWN.set(format, found[1]);
  return found[1];
}
