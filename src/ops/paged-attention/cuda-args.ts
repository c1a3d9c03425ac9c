/** Arguments of the CUDA attention kernels. */
import { Struct } from '../struct.js';

export const DECODE_ARGS = new Struct('DecodeArgs', 'paged-attention/decode-unit.cuh', {
  qkv: 'address',
  cache: 'address',
  out: 'address',
  cosTable: 'address',
  sinTable: 'address',
  blockTables: 'address',
  items: 'address',
  itemCount: 'address',
  partials: 'address',
  arrivals: 'address',
  blockStride: 'u64',
  kvHeads: 'i32',
  maxBlocks: 'i32',
  stageCount: 'i32',
  teamWarps: 'i32',
  window: 'i32',
});

export const PREFILL_ARGS = new Struct('PrefillArgs', 'paged-attention/prefill.cu', {
  qkv: 'address',
  cache: 'address',
  out: 'address',
  rowOffsets: 'address',
  contextLengths: 'address',
  blockTables: 'address',
  tiles: 'address',
  blockStride: 'u64',
  heads: 'i32',
  kvHeads: 'i32',
  maxBlocks: 'i32',
  window: 'i32',
});

export const WGMMA_PREFILL_ARGS = new Struct('WgmmaPrefillArgs', 'paged-attention/prefill-work.cuh', {
  out: 'address',
  rowOffsets: 'address',
  contextLengths: 'address',
  blockTables: 'address',
  tiles: 'address',
  taken: 'address',
  firstKeyTiles: 'address',
  cache: 'address',
  blockStride: 'u64',
  firstVector: 'i32',
  blockVectors: 'i32',
  tileCount: 'i32',
  heads: 'i32',
  kvHeads: 'i32',
  maxBlocks: 'i32',
  qkvMap: 'tensorMap',
  cacheMap: 'tensorMap',
});

export const EXPAND_ARGS = new Struct('ExpandArgs', 'paged-attention/prefill-expanded.cu', {
  cache: 'address',
  expanded: 'address',
  keyTiles: 'address',
  contextLengths: 'address',
  blockTables: 'address',
  blockStride: 'u64',
  maxBlocks: 'i32',
});
