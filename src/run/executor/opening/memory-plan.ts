/** Number of KV blocks that an executor gets: pure arithmetic over what is free after weights and workspace. */
import { AloftError } from '../../../core/errors.js';
import { type KvDtype, kvVectorBytes } from '../../../plan/kv-dtype.js';
import type { PlanDims } from '../../../plan/plan.js';

/** Bytes of K and V of one token over all layers of this rank, with their scales. */
export function kvBytesPerToken(dims: PlanDims, kvDtype: KvDtype): number {
  return 2 * dims.layerCount * dims.kvHeadCount * kvVectorBytes(kvDtype, dims.headDim);
}

export interface KvDemand {
  readonly blockTokens: number;
  readonly bytesPerToken: number;
  /** Memory left after weights and workspace. */
  readonly freeBytes: number;
  /** Share of `freeBytes` that blocks may take. */
  readonly kvCacheFreeMemFraction: number;
  /** Absolute cap; undefined has none. */
  readonly maxKvTokens: number | undefined;
  /** Tokens beyond which more blocks are useless: batch limit times sequence limit. */
  readonly usefulTokens: number;
}

/** @throws {AloftError} OUT_OF_MEMORY when not a single block fits */
export function planKvBlocks(demand: KvDemand): number {
  const blockBytes = demand.blockTokens * demand.bytesPerToken;
  const budgetBytes = demand.freeBytes * demand.kvCacheFreeMemFraction;
  const capTokens = Math.min(demand.maxKvTokens ?? Infinity, demand.usefulTokens);
  const blockCount = Math.min(
    Math.floor(budgetBytes / blockBytes),
    Math.ceil(capTokens / demand.blockTokens),
  );
  if (blockCount >= 1) return blockCount;
  throw new AloftError(
    'OUT_OF_MEMORY',
    `No KV block fits: a block of ${demand.blockTokens} tokens needs ${blockBytes} bytes, but only ${Math.floor(budgetBytes)} bytes ` +
      `(${demand.kvCacheFreeMemFraction} of ${demand.freeBytes} free) are allowed; free memory, raise --kv_cache_free_mem_fraction, or use a smaller model.`,
  );
}
