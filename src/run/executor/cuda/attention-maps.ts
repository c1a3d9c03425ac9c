/** What prefill attention copies through tensor maps. */
import type { MappedMatrix } from '../../../device/cuda/tensor-map.js';
import { prefillKernelFor, wgmmaBoxRows } from '../../../ops/paged-attention/cuda.js';
import type { BufferName, Plan } from '../../../plan/plan.js';

export const CACHE_MAP_KEY = 'cache';
export const qkvMapKey = (address: number): string => `qkv:${address}`;

/** Where prefill attention reads. */
export interface AttentionMemory {
  readonly buffer: (opIndex: number, name: BufferName) => number;
  /** Rows that a buffer has room for. */
  readonly rows: (opIndex: number, name: BufferName) => number;
  readonly cacheBase: number;
  readonly cacheBytes: number;
  readonly blockTokens: number;
}

/** Queries of every attention op, and the whole cache as a matrix of its keys and values; none for kernels that need no maps. */
export function attentionMatrices(
  plan: Plan,
  computeCapability: number,
  { buffer, rows: rowsOf, cacheBase, cacheBytes, blockTokens }: AttentionMemory,
): ReadonlyMap<string, MappedMatrix> {
  const matrices = new Map<string, MappedMatrix>();
  if (prefillKernelFor(plan, computeCapability, blockTokens).name === 'attention_prefill') return matrices;
  const { headCount, kvHeadCount, headDim } = plan.dims;
  const dtype = plan.activationDtype === 'bf16' ? 'bf16' : 'f16';
  const boxRows = wgmmaBoxRows(blockTokens);
  const columns = (headCount + 2 * kvHeadCount) * headDim;
  for (const [index, op] of plan.ops.entries()) {
    if (op.kind !== 'pagedAttention') continue;
    const address = buffer(index, op.qkv);
    const qkv = { address, rows: rowsOf(index, op.qkv), columns, boxRows: boxRows.qkv, dtype } as const;
    matrices.set(qkvMapKey(address), qkv);
  }
  const rows = cacheBytes / (headDim * 2);
  const cache = { address: cacheBase, rows, columns: headDim, boxRows: boxRows.cache, dtype } as const;
  return matrices.set(CACHE_MAP_KEY, cache);
}
