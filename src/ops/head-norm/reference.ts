import { rowOf, type Matrix } from '../matrix.js';
import { rmsNormReference } from '../rms-norm/reference.js';

export interface HeadNorm {
  readonly headCount: number;
  readonly kvHeadCount: number;
  /** [headDim] */
  readonly queryWeight: Float32Array;
  /** [headDim] */
  readonly keyWeight: Float32Array;
  readonly epsilon: number;
}

/**
 * RMSNorm of each query and key head, in place, as in "Query-Key Normalization" (arXiv:2010.04245).
 * @param qkv [tokens, (heads + 2 kvHeads) * headDim] f32
 */
export function headNormReference(qkv: Matrix, norm: HeadNorm): void {
  const { headCount, kvHeadCount, queryWeight, keyWeight, epsilon } = norm;
  const headDim = queryWeight.length;
  for (let token = 0; token < qkv.rowCount; token++) {
    for (let head = 0; head < headCount + kvHeadCount; head++) {
      const data = rowOf(qkv, token).subarray(head * headDim, (head + 1) * headDim);
      const weight = head < headCount ? queryWeight : keyWeight;
      data.set(rmsNormReference({ rowCount: 1, columnCount: headDim, data }, weight, epsilon).data);
    }
  }
}
