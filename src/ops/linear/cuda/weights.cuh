// Weights of a format as linear kernels read them: first operands of the tensor cores' products, 16 rows by 16 k each.
//
// The order of k inside a product is free as long as both operands agree. So what a thread reads at once, 16 bytes,
// becomes operands without an exchange between threads: with dense weights 8 consecutive k of a row, which are two
// products; with int8, whose tiles lie as operands (tiles.ts), four products. Tokens are read in the same order of k.
//
// Products are numbered by their place in 64 k: 4. Lane 4 g + t has rows g and g + 8 of 16, and token g of 8.
#pragma once
#include "cuda/act.cuh"
#include "cuda/async.cuh"
#include "cuda/int8.cuh"
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"

enum WeightFormat { DENSE, INT8 };

template <WeightFormat FORMAT>
struct Weights;

// Row-major [n, k] of activations.
template <>
struct Weights<DENSE> {
  static constexpr bool IS_SCALED = false;
  static constexpr u32 TILE_BYTES = 2048;  // 16 rows by 64 k
  static constexpr int LOADS = 2;          // for 64 k
  static constexpr int PRODUCTS = 2;       // of a load

  // Operand of product `i` of a load of 16 bytes of rows g and g + 8.
  static __device__ __forceinline__ void fragment(u32 (&f)[4], const Vec16& low, const Vec16& high, int i) {
    f[0] = low.w[2 * i], f[1] = high.w[2 * i], f[2] = low.w[2 * i + 1], f[3] = high.w[2 * i + 1];
  }

  // ---- in shared memory: boxes of 16 rows by 64 k, [box][tile] in a stage; 16-byte piece p of row r lies at p ^ (r &
  // 7) ----

  // Announces a stage's bytes, those of x as well, and requests its weights.
  template <typename Ring>
  static __device__ __forceinline__ void fill_stage(const typename Ring::View& a, u32 stage, u32 barrier, int blockTile,
                                                    int stageIndex, u64 policy) {
    const int lane = threadIdx.x & 31;
    if (lane == 0) barrier_expect(barrier, Ring::WEIGHT_BYTES + Ring::x_bytes(a, stageIndex));
    __syncwarp();
    for (int i = lane; i < Ring::STAGE_BOXES * Ring::TILES; i += 32) {
      const int column = (stageIndex * Ring::STAGE_BOXES + i / Ring::TILES) * 64,
                row = Ring::tile_row(a, blockTile, i % Ring::TILES);
      box_copy_once(stage + i * TILE_BYTES, a.weightMap, column, row, barrier, policy);
    }
  }

  static constexpr u32 X_ALIGNMENT = 1024;  // of a single row of x, which lies before the next stage's boxes
  static constexpr u32 HIGH_BYTES = 1024;   // from row g to g + 8

  static __device__ __forceinline__ u32 load_address(u32 stage, int tile, int tiles, int box, int boxes, int load) {
    const int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
    return stage + (box * tiles + tile) * TILE_BYTES + g * 128 + (((load * 4 + t) ^ g) << 4);
  }
  // The row of 8 whose address a lane gives to load_tokens.
  static __device__ __forceinline__ int token_row() { return (threadIdx.x & 31) >> 2; }
  // Tokens for the products of half of 64 k, 2 words each. Pieces of the row lie at p ^ swizzle.
  static __device__ __forceinline__ Vec16 load_tokens(u32 row, int half, int swizzle) {
    return load_shared16(row + (((half * 4 + (threadIdx.x & 3)) ^ swizzle) << 4));
  }

  // ---- in global memory ----
  static constexpr int CHUNK_K = 32;  // that a load covers

  static __device__ __forceinline__ void load_chunk(Vec16& low, Vec16& high, const u8* weight, int row, int chunk,
                                                    int n, int columns) {
    const int lane = threadIdx.x & 31, k = chunk * CHUNK_K + (lane & 3) * 8;
    const int r0 = row + (lane >> 2), r1 = r0 + 8;
    low = k < columns && r0 < n ? load_stream(weight + ((size_t)r0 * columns + k) * 2) : zero16();
    high = k < columns && r1 < n ? load_stream(weight + ((size_t)r1 * columns + k) * 2) : zero16();
  }
  // A token's words for a chunk's products, 2 each. `x` is the token's k0, where the chunk begins; a token that is not
  // live is zero.
  static __device__ __forceinline__ void load_chunk_tokens(Vec16 (&tokens)[1], const u16* x, int k0, int columns,
                                                           bool live) {
    const int t = threadIdx.x & 3;
    tokens[0] = live && k0 + t * 8 < columns ? load16(x + t * 8) : zero16();
  }
};

// Tiles of 16 rows by 64 k: [n/16][k/64][rows 0-7, 8-15][lane][16 bytes], and a scale for each row.
template <>
struct Weights<INT8> {
  static constexpr bool IS_SCALED = true;
  static constexpr u32 TILE_BYTES = 1024;
  static constexpr int LOADS = 1;
  static constexpr int PRODUCTS = 4;

  static __device__ __forceinline__ void fragment(u32 (&f)[4], const Vec16& low, const Vec16& high, int i) {
    dequantise4(low.w[i], f[0], f[2]);
    dequantise4(high.w[i], f[1], f[3]);
  }

  // ---- in shared memory: [tile][box] in a stage ----

  // Tiles after the last row are not copied: what is multiplied there is not stored.
  template <typename Ring>
  static __device__ __forceinline__ void fill_stage(const typename Ring::View& a, u32 stage, u32 barrier, int blockTile,
                                                    int stageIndex, u64 policy) {
    const int lane = threadIdx.x & 31, boxCount = (a.k + 63) >> 6, box0 = stageIndex * Ring::STAGE_BOXES;
    const int boxes = min(Ring::STAGE_BOXES, boxCount - box0);
    const int row = lane < Ring::TILES ? Ring::tile_row(a, blockTile, lane) : a.n;
    const u32 live = __ballot_sync(0xffffffffu, row < a.n);
    if (lane == 0) barrier_expect(barrier, __popc(live) * boxes * TILE_BYTES + Ring::x_bytes(a, stageIndex));
    __syncwarp();
    if (row < a.n)
      bulk_copy_once(stage + lane * Ring::STAGE_BOXES * TILE_BYTES,
                     a.weight + ((size_t)(row >> 4) * boxCount + box0) * TILE_BYTES, boxes * TILE_BYTES, barrier,
                     policy);
  }

  static constexpr u32 X_ALIGNMENT = 128;
  static constexpr u32 HIGH_BYTES = 512;

  static __device__ __forceinline__ u32 load_address(u32 stage, int tile, int tiles, int box, int boxes, int load) {
    return stage + (tile * boxes + box) * TILE_BYTES + (threadIdx.x & 31) * 16;
  }
  static __device__ __forceinline__ int token_row() { return threadIdx.x & 7; }
  static __device__ __forceinline__ Vec16 load_tokens(u32 row, int half, int swizzle) {
    return load_matrices(row + (((half * 4 + ((threadIdx.x & 31) >> 3)) ^ swizzle) << 4));
  }

  // ---- in global memory ----
  static constexpr int CHUNK_K = 64;

  static __device__ __forceinline__ void load_chunk(Vec16& low, Vec16& high, const u8* weight, int row, int chunk,
                                                    int n, int columns) {
    const u8* tile =
        weight + ((size_t)(row >> 4) * ((columns + 63) >> 6) + chunk) * TILE_BYTES + (threadIdx.x & 31) * 16;
    low = load_stream(tile);
    high = load_stream(tile + HIGH_BYTES);
  }
  static __device__ __forceinline__ void load_chunk_tokens(Vec16 (&tokens)[2], const u16* x, int k0, int columns,
                                                           bool live) {
    x += (threadIdx.x & 3) * 2;
#pragma unroll
    for (int i = 0; i < 8; i++) tokens[i >> 2].w[i & 3] = live && k0 + i * 8 < columns ? load4(x + i * 8) : 0;
  }
};
