import { BYTES_PER_ELEMENT } from '../../core/dtype.js';
import { isQuantisedKv, KV_SCALE_BYTES, type KvDtype } from '../../plan/kv-dtype.js';
import type { PlanDims } from '../../plan/plan.js';
import { Struct, StructArray } from '../struct.js';

/** Element types of the CPU's KV cache, in the order of `enum class KvFormat` in step-view.h. */
export const CPU_KV_DTYPES = ['f32', 'f16', 'i8', 'f8e4m3'] as const;
export type CpuKvDtype = (typeof CPU_KV_DTYPES)[number];

/** f16 takes as much memory as bf16 and is more precise within its range. */
export function cpuKvDtype(dtype: KvDtype): CpuKvDtype {
  return dtype === 'bf16' ? 'f16' : dtype;
}

export const KV_LAYOUT = new Struct('KvLayout', 'cpu/step-view.h', {
  blockStrideBytes: 'i64',
  valueOffsetBytes: 'i64',
  scaleOffsetBytes: 'i64',
  blockTokens: 'i64',
  kvHeadCount: 'i64',
  headDim: 'i64',
  valueStride: 'i64',
  format: 'i64',
});

/** Layout of one block of the CPU's KV cache in memory; see step-view.h for the picture. Bytes, except where named. */
export interface KvLayout {
  readonly dtype: CpuKvDtype;
  readonly blockTokens: number;
  /** From one block to the next. */
  readonly blockStrideBytes: number;
  /** From one layer to the next inside a block. */
  readonly layerStrideBytes: number;
  /** From the keys of a layer to its values. */
  readonly valueOffsetBytes: number;
  /** From the keys of a layer to their scales. */
  readonly scaleOffsetBytes: number;
  /** Elements from one token's values to the next. */
  readonly valueStride: number;
  /** Address of the native struct that kernels read. It lives as long as this object. */
  readonly address: number;
  /** Keeps the struct alive. */
  readonly fields: StructArray;
}

const VECTOR_ELEMENTS = 16;
const CACHE_LINE_BYTES = 64;

/** @param blockTokens a multiple of 8 */
export function createKvLayout(dims: PlanDims, dtype: CpuKvDtype, blockTokens: number): KvLayout {
  const elementBytes = BYTES_PER_ELEMENT[dtype];
  const valueStride = roundUp(dims.headDim, VECTOR_ELEMENTS);
  const blockHeads = dims.kvHeadCount * blockTokens;
  const valueOffsetBytes = roundUp(blockHeads * dims.headDim * elementBytes, CACHE_LINE_BYTES);
  const valueBytes = roundUp(blockHeads * valueStride * elementBytes, CACHE_LINE_BYTES);
  const scaleOffsetBytes = valueOffsetBytes + valueBytes;
  const scaleBytes = isQuantisedKv(dtype) ? roundUp(2 * blockHeads * KV_SCALE_BYTES, CACHE_LINE_BYTES) : 0;
  const layerStrideBytes = scaleOffsetBytes + scaleBytes;
  const blockStrideBytes = layerStrideBytes * dims.layerCount;
  const fields = new StructArray(KV_LAYOUT, 1);
  fields.set(0, {
    blockStrideBytes,
    valueOffsetBytes,
    scaleOffsetBytes,
    blockTokens,
    kvHeadCount: dims.kvHeadCount,
    headDim: dims.headDim,
    valueStride,
    format: CPU_KV_DTYPES.indexOf(dtype),
  });
  return {
    dtype,
    blockTokens,
    valueStride,
    blockStrideBytes,
    layerStrideBytes,
    valueOffsetBytes,
    scaleOffsetBytes,
    address: fields.address,
    fields,
  };
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
