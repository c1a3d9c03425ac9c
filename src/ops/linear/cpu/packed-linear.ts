/** The tensors that a linear weight becomes in a CPU engine. The bytes are described in linear.h. */
import { DTYPE_CODE } from '../../cpu/dtype-code.js';
import type { DType } from '../../../core/dtype.js';
import type { LinearFormat } from '../contract.js';

const TILE_ROWS = 16;

/** Numbers of formats in native calls: `enum class LinearFormat` in linear.h. */
export const LINEAR_FORMAT_CODE: Readonly<Record<LinearFormat, number>> = { ...DTYPE_CODE, int8: 3 };

export interface PackedLinearTensor {
  /** Appended to the weight's name. */
  readonly suffix: '' | '.scale' | '.sum';
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * Packed tensors of a [outCount, inCount] weight, in the order in which `LinearPacker` fills them. Rows are padded to whole
 * tiles of 16, inputs to what an AMX tile holds. int8 adds a scale and the sum of the quantised values of each row.
 */
export function packedLinearTensors(
  format: LinearFormat,
  outCount: number,
  inCount: number,
): readonly PackedLinearTensor[] {
  const tileCount = Math.ceil(outCount / TILE_ROWS);
  if (format === 'int8') {
    const quadCount = Math.ceil(inCount / 64) * 16;
    return [
      { suffix: '', dtype: 'i8', shape: [tileCount, quadCount, TILE_ROWS, 4] },
      { suffix: '.scale', dtype: 'f32', shape: [tileCount * TILE_ROWS] },
      { suffix: '.sum', dtype: 'i32', shape: [tileCount * TILE_ROWS] },
    ];
  }
  const paddedIn = Math.ceil(inCount / 32) * 32;
  const shape =
    format === 'bf16' ? [tileCount, paddedIn / 2, TILE_ROWS, 2] : [tileCount, paddedIn, TILE_ROWS];
  return [{ suffix: '', dtype: format, shape }];
}
