/** Sizes and addresses that the CUDA attention kernels are launched with. */
import type { TensorMap } from '../cuda/launch.js';

/** Device addresses that both kernels read. */
export interface AttentionOperands {
  readonly qkv: number;
  /** Address of the layer's keys and values in block 0. */
  readonly cache: number;
  readonly out: number;
  readonly cosTable: number;
  readonly sinTable: number;
  readonly rowOffsets: number;
  readonly contextLengths: number;
  readonly blockTables: number;
  readonly decodeItems: number;
  readonly itemCount: number;
  readonly prefillTiles: number;
  readonly keyTiles: number;
  readonly firstKeyTiles: number;
  /** Room for expanded keys and values, see cuda-expand.ts; 0 where none are. */
  readonly expanded: number;
  readonly partials: number;
  /** [rows, kvHeads] counters, zero between launches. */
  readonly arrivals: number;
  /** Maps for the kernels that copy through them: see `wgmmaBoxRows`. */
  readonly maps: AttentionMaps | undefined;
  /** Bytes from the cache's first block to `cache`. */
  readonly layerOffsetBytes: number;
}

/** Maps of qkv; of the whole cache, if it has 16 bits; of expanded keys and values, if it has 8. */
export interface AttentionMaps {
  readonly qkv: TensorMap;
  readonly cache: TensorMap | undefined;
  readonly expanded: TensorMap | undefined;
}

export interface AttentionProblem {
  readonly headCount: number;
  readonly kvHeadCount: number;
  readonly headDim: number;
  readonly blockTokens: number;
  /** Elements from one block of the cache to the next. */
  readonly blockStride: number;
  /** Bytes of one head's keys and values in a block, with their scales. */
  readonly headBlockBytes: number;
  readonly isQuantised: boolean;
  readonly maxBlocks: number;
  /** Newest tokens that a token sees; 0 for all. */
  readonly window: number;
  readonly decodeItems: number;
  readonly prefillTiles: number;
  /** Tiles of keys that prefill attention expands first; 0: none, it reads the cache. */
  readonly keyTiles: number;
}
