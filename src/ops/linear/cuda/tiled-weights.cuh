// Parts that the formats of weights in tiles share; weights.cuh says what they are for.
#pragma once
#include "cuda/async.cuh"
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"

// Common part of formats in tiles of 16 rows by BOXES boxes of 64 k, which lie [n/16][k/(64 BOXES)].
template <u32 BYTES, int BOXES>
struct TiledWeights {
  static constexpr u32 TILE_BYTES = BYTES;
  static constexpr int TILE_BOXES = BOXES, LOADS = 1, PRODUCTS = 4;
  static constexpr u32 X_ALIGNMENT = 128;

  static __device__ __forceinline__ int tiles_of(int k) { return (k + 64 * BOXES - 1) >> (BOXES == 1 ? 6 : 7); }

  // ---- in shared memory: [tile of rows][tile of k] in a stage ----

  // Tiles after the last row are not copied: what is multiplied there is not stored.
  template <typename Ring>
  static __device__ __forceinline__ void fill_stage(const typename Ring::View& a, u32 stage, u32 barrier, int blockTile,
                                                    int stageIndex, u64 policy) {
    const int lane = threadIdx.x & 31, tileCount = tiles_of(a.k), tile0 = stageIndex * Ring::STAGE_TILES;
    const int tiles = min(Ring::STAGE_TILES, tileCount - tile0);
    const int row = lane < Ring::TILES ? Ring::tile_row(a, blockTile, lane) : a.n;
    const u32 live = __ballot_sync(0xffffffffu, row < a.n);
    if (lane == 0) barrier_expect(barrier, __popc(live) * tiles * TILE_BYTES + Ring::x_bytes(a, stageIndex));
    __syncwarp();
    if (row < a.n)
      bulk_copy_once(stage + lane * Ring::STAGE_TILES * TILE_BYTES,
                     a.weight + ((size_t)(row >> 4) * tileCount + tile0) * TILE_BYTES, tiles * TILE_BYTES, barrier,
                     policy);
  }

  static __device__ __forceinline__ u32 tile_address(u32 stage, int tile, int tiles, int across, int acrosses) {
    return stage + (tile * acrosses + across) * TILE_BYTES;
  }
  static __device__ __forceinline__ int token_row() { return threadIdx.x & 7; }
  static __device__ __forceinline__ u32 token_place(int swizzle) { return (((threadIdx.x & 31) >> 3) ^ swizzle) << 4; }
  static __device__ __forceinline__ Vec16 load_tokens(u32 at) { return load_matrices(at); }

  // ---- in global memory: a chunk is a tile ----
  static constexpr int CHUNK_K = 64 * BOXES, CHUNK_PRODUCTS = 4 * BOXES;

  static __device__ __forceinline__ void load_chunk_tokens(Vec16 (&tokens)[2 * BOXES], const u16* x, int k0,
                                                           int columns, bool live) {
    x += (threadIdx.x & 3) * 2;
#pragma unroll
    for (int i = 0; i < 8 * BOXES; i++) tokens[i >> 2].w[i & 3] = live && k0 + i * 8 < columns ? load4(x + i * 8) : 0;
  }
};
