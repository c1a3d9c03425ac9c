/** Formats of the weights that CUDA kernels of linear layers read, and how each lies in device memory. */
import { AloftError } from '../../../core/errors.js';
import {
  elementOf,
  formatText,
  NAMED_FORMATS,
  type WeightElement,
  type WeightFormat,
} from '../../../plan/weight-format.js';

export interface StoredWeights {
  /** Word in names of units and in keys of problems. Both 16-bit types have the same: an engine has activations of one type. */
  readonly key: 'dense' | 'int8';
  /** First template argument of the kernels, of `enum WeightFormat` in weights.cuh. */
  readonly templateArgument: string;
  /** Whether weights lie in tiles of 16 rows by 64 columns with a scale for each row, or row by row. */
  readonly isTiled: boolean;
  /** Bytes of 16 rows by 64 columns. */
  readonly tileBytes: number;
  /** Kernel of the unit `common` that makes a dense copy for the matrix library; undefined for dense weights. */
  readonly dequantise: string | undefined;
}

const DENSE: StoredWeights = {
  key: 'dense',
  templateArgument: 'DENSE',
  isTiled: false,
  tileBytes: 2048,
  dequantise: undefined,
};

const STORED: Readonly<Partial<Record<WeightElement, StoredWeights>>> = {
  f16: DENSE,
  bf16: DENSE,
  int8: { key: 'int8', templateArgument: 'INT8', isTiled: true, tileBytes: 1024, dequantise: 'dequantise' },
};

/** Formats of {@link STORED}. */
export const LINEAR_FORMATS: readonly WeightFormat[] = Object.entries(NAMED_FORMATS)
  .filter(([element]) => element in STORED)
  .map(([, format]) => format);

/** @throws {AloftError} UNSUPPORTED for a format that no kernel reads; a build checks for those before it begins */
export function storedWeights(format: WeightFormat): StoredWeights {
  const stored = STORED[elementOf(format)];
  if (stored !== undefined) return stored;
  throw new AloftError('UNSUPPORTED', `No CUDA kernel multiplies weights in ${formatText(format)}.`);
}
