import { addressOf } from '../../ffi/memory.js';
import type { PlanDims } from '../../plan/plan.js';

/** Element type of the KV cache. */
export type KvDtype = 'f32' | 'f16';

/** How one block of the CPU's KV cache lies in memory; see step-view.h for the picture. Bytes, except where named. */
export interface KvLayout {
  readonly dtype: KvDtype;
  readonly blockTokens: number;
  /** From one block to the next. */
  readonly blockStrideBytes: number;
  /** From one layer to the next inside a block. */
  readonly layerStrideBytes: number;
  /** From the keys of a layer to its values. */
  readonly valueOffsetBytes: number;
  /** Elements from one token's values to the next. */
  readonly valueStride: number;
  /** Address of the native struct that kernels read. It lives as long as this object. */
  readonly address: number;
  /** Keeps the struct alive. */
  readonly fields: BigInt64Array;
}

const VECTOR_ELEMENTS = 16;
const CACHE_LINE_BYTES = 64;

/** @param blockTokens a multiple of 8 */
export function createKvLayout(dims: PlanDims, dtype: KvDtype, blockTokens: number): KvLayout {
  const elementBytes = dtype === 'f32' ? 4 : 2;
  const valueStride = roundUp(dims.headDim, VECTOR_ELEMENTS);
  const blockHeads = dims.kvHeadCount * blockTokens;
  const valueOffsetBytes = roundUp(blockHeads * dims.headDim * elementBytes, CACHE_LINE_BYTES);
  const valueBytes = roundUp(blockHeads * valueStride * elementBytes, CACHE_LINE_BYTES);
  const layerStrideBytes = valueOffsetBytes + valueBytes;
  const blockStrideBytes = layerStrideBytes * dims.layerCount;
  const fields = BigInt64Array.from(
    [blockStrideBytes, valueOffsetBytes, blockTokens, dims.kvHeadCount, dims.headDim, valueStride].map(
      BigInt,
    ),
  );
  return {
    dtype,
    blockTokens,
    blockStrideBytes,
    layerStrideBytes,
    valueOffsetBytes,
    valueStride,
    ...nativeStruct([...fields, dtype === 'f16' ? 1n : 0n]),
  };
}

function nativeStruct(values: readonly bigint[]): {
  readonly address: number;
  readonly fields: BigInt64Array;
} {
  const fields = BigInt64Array.from(values);
  return { address: addressOf(fields), fields };
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
