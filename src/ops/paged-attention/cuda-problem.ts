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
  readonly partials: number;
  /** [rows, kvHeads] counters, zero between launches. */
  readonly arrivals: number;
  /** Maps of qkv and, if it has 16 bits, of the whole cache, for the kernels that copy through them: see `wgmmaBoxRows`. */
  readonly maps: { readonly qkv: TensorMap; readonly cache: TensorMap | undefined } | undefined;
  /** Bytes from the cache's first block to `cache`. */
  readonly layerOffsetBytes: number;
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
}
