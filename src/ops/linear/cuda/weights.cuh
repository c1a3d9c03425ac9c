// Weights of a format as linear kernels read them: first operands of the tensor cores' products, 16 rows by 16 k each.
//
// The order of k inside a product is free as long as both operands agree. So what a thread reads at once, 16 bytes,
// becomes operands without an exchange between threads: with dense weights 8 consecutive k of a row, which are two
// products; with int8, fp8 and int4, whose tiles lie as operands (tiles.ts), four products. Tokens are read in the same
// order of k.
//
// Products are numbered by their place in 64 k: 4. Lane 4 g + t has rows g and g + 8 of 16, and token g of 8.
#pragma once
#include "cuda/act.cuh"
#include "cuda/async.cuh"
#include "cuda/e4m3.cuh"
#include "cuda/int4.cuh"
#include "cuda/int8.cuh"
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"
#include "linear/cuda/tiled-weights.cuh"

enum WeightFormat { DENSE, INT8, FP8, INT4_G128, INT4_G64, INT4_G32, INT4_G128_ZEROS, INT4_G64_ZEROS, INT4_G32_ZEROS };

template <WeightFormat FORMAT>
struct Weights;

// 16 bytes of rows g and g + 8.
struct RowPieces {
  Vec16 low, high;
};

// Row-major [n, k] of activations.
template <>
struct Weights<DENSE> {
  static constexpr bool IS_SCALED = false;  // by a scale for each row, which sums are multiplied with
  static constexpr int GROUP_PRODUCTS = 0;  // of a group of k that has scales of its own; 0: there are none
  static constexpr u32 TILE_BYTES = 2048;   // 16 rows by 64 k
  static constexpr int TILE_BOXES = 1;      // of 64 k
  static constexpr int LOADS = 2;           // for 64 k
  static constexpr int PRODUCTS = 2;        // of a load
  typedef Vec16 Rows;                       // what a load gives for row g or g + 8

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

  static __device__ __forceinline__ int tiles_of(int k) { return (k + 63) >> 6; }
  // The tile of rows `tile`, of `tiles`, and place `across`, of `acrosses`, along k.
  static __device__ __forceinline__ u32 tile_address(u32 stage, int tile, int tiles, int across, int acrosses) {
    return stage + (across * tiles + tile) * TILE_BYTES;
  }
  // Places of a lane's weights in a tile, and of its scales, which dense weights do not have.
  static __device__ __forceinline__ u32 lane_place() {
    const int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
    return g * 128 + ((t ^ g) << 4);
  }
  static __device__ __forceinline__ u32 scale_place() { return 0; }
  // Rows 0 to 7 or 8 to 15 (`half`) of a tile's box. `at` is the lane's place in the tile.
  static __device__ __forceinline__ Vec16 load_rows(u32 at, int box, int load, int half) {
    return load_shared16((at ^ (load << 6)) + half * 1024);
  }
  // The row of 8 whose address a lane gives to load_tokens.
  static __device__ __forceinline__ int token_row() { return (threadIdx.x & 31) >> 2; }
  // A lane's place in the first half of a row of 64 k, whose 16-byte pieces lie at p ^ swizzle. That in the other half
  // has bit 6 of its address turned.
  static __device__ __forceinline__ u32 token_place(int swizzle) { return ((threadIdx.x & 3) ^ swizzle) << 4; }
  // Tokens for the products of half of 64 k, 2 words each.
  static __device__ __forceinline__ Vec16 load_tokens(u32 at) { return load_shared16(at); }

  // ---- in global memory ----
  static constexpr int CHUNK_K = 32, CHUNK_PRODUCTS = 2;  // that a load covers
  typedef RowPieces Chunk;

  static __device__ __forceinline__ void load_chunk(Chunk& c, const u8* weight, int row, int chunk, int n,
                                                    int columns) {
    const int lane = threadIdx.x & 31, k = chunk * CHUNK_K + (lane & 3) * 8;
    const int r0 = row + (lane >> 2), r1 = r0 + 8;
    c.low = k < columns && r0 < n ? load_stream(weight + ((size_t)r0 * columns + k) * 2) : zero16();
    c.high = k < columns && r1 < n ? load_stream(weight + ((size_t)r1 * columns + k) * 2) : zero16();
  }
  static __device__ __forceinline__ void chunk_fragment(u32 (&f)[4], const Chunk& c, int i) {
    fragment(f, c.low, c.high, i);
  }
  // A token's words for a chunk's products, 2 each. `x` is the token's k0, where the chunk begins; a token that is not
  // live is zero.
  static __device__ __forceinline__ void load_chunk_tokens(Vec16 (&tokens)[1], const u16* x, int k0, int columns,
                                                           bool live) {
    const int t = threadIdx.x & 3;
    tokens[0] = live && k0 + t * 8 < columns ? load16(x + t * 8) : zero16();
  }
};

// [rows 0-7, 8-15][lane][16 bytes], and a scale for each row. Bytes are int8 + 128, or E4M3.
template <bool IS_E4M3>
struct ByteWeights : TiledWeights<1024, 1> {
  typedef TiledWeights<1024, 1> Tiles;
  static constexpr bool IS_SCALED = true;
  static constexpr int GROUP_PRODUCTS = 0;
  typedef Vec16 Rows;
  typedef Vec16 ScaledRows;

  static __device__ __forceinline__ u32 lane_place() { return (threadIdx.x & 31) * 16; }
  static __device__ __forceinline__ u32 scale_place() { return 0; }
  static __device__ __forceinline__ Vec16 load_rows(u32 at, int box, int load, int half) {
    return load_shared16(at + half * 512);
  }
  // Rows whose operands have the scales of groups in them.
  static __device__ __forceinline__ Vec16 load_scaled(u32 tile, int box, int half) {
    return load_rows(tile + lane_place(), box, 0, half);
  }
  // Four bytes as four activations.
  static __device__ __forceinline__ void unpack4(u32 bytes, u32& low, u32& high) {
    if constexpr (IS_E4M3)
      widen4(bytes, low, high);
    else
      dequantise4(bytes, low, high);
  }
  static __device__ __forceinline__ void fragment(u32 (&f)[4], const Vec16& low, const Vec16& high, int i) {
    unpack4(low.w[i], f[0], f[2]);
    unpack4(high.w[i], f[1], f[3]);
  }

  // ---- in global memory ----
  typedef RowPieces Chunk;

  // A tile after the last row is not there.
  static __device__ __forceinline__ void load_chunk(Chunk& c, const u8* weight, int row, int chunk, int n,
                                                    int columns) {
    const u8* tile = weight + ((size_t)(min(row, n - 1) >> 4) * Tiles::tiles_of(columns) + chunk) * Tiles::TILE_BYTES +
                     (threadIdx.x & 31) * 16;
    c.low = load_stream(tile);
    c.high = load_stream(tile + 512);
  }
  static __device__ __forceinline__ void chunk_fragment(u32 (&f)[4], const Chunk& c, int i) {
    fragment(f, c.low, c.high, i);
  }
};

template <>
struct Weights<INT8> : ByteWeights<false> {};
template <>
struct Weights<FP8> : ByteWeights<true> {};

// [2 boxes of 64 k][rows 0-7, 8-15][lane][8 bytes], then a scale in f16 for each group of k and row, then, if there are
// zeros, one byte for each: [group][16 rows]. Without zeros, nibbles are the weight's integer + 8.
template <int GROUP_K, bool HAS_ZEROS>
struct Int4Weights : TiledWeights<1024 + 128 / GROUP_K * 16 * (HAS_ZEROS ? 3 : 2), 2> {
  typedef TiledWeights<1024 + 128 / GROUP_K * 16 * (HAS_ZEROS ? 3 : 2), 2> Tiles;
  static constexpr bool IS_SCALED = false;
  static constexpr int GROUP_PRODUCTS = GROUP_K / 16;
  static constexpr int BOX_GROUPS = GROUP_K < 64 ? 64 / GROUP_K : 1;  // that a box has products of
  static constexpr bool HAS_ZERO_BYTES = HAS_ZEROS;
  static constexpr u32 SCALES = 1024, ZEROS = SCALES + 128 / GROUP_K * 32;

  struct Rows {
    u32 words[2];
    Int4Zero zeros[BOX_GROUPS];
  };
  struct ScaledRows : Rows {
    Int4Scale scales[BOX_GROUPS];
  };

  // Row g of half a tile, in units of a row's size.
  static __device__ __forceinline__ u32 row_of_group(int group, int half) {
    return ((threadIdx.x & 31) >> 2) + (group * 16 + half * 8);
  }
  static __device__ __forceinline__ u32 lane_place() { return (threadIdx.x & 31) * 8; }
  static __device__ __forceinline__ u32 scale_place() { return row_of_group(0, 0) * 2; }
  static __device__ __forceinline__ u16 load_scale(u32 at, int group, int half) {
    return load_shared2(at + (group * 16 + half * 8) * 2 + SCALES);
  }
  static __device__ __forceinline__ float scale_of(u32 at, int group, int half) {
    return half_bits_to_float(load_scale(at, group, half));
  }

  static __device__ __forceinline__ Rows load_rows(u32 at, int box, int load, int half) {
    Rows rows;
    load_shared8(at + (box * 512 + half * 256), rows.words);
#pragma unroll
    for (int i = 0; i < BOX_GROUPS; i++)
      rows.zeros[i] = int4_zero(
          HAS_ZEROS ? load_shared1(at - lane_place() + row_of_group(box * 64 / GROUP_K + i, half) + ZEROS) : 8);
    return rows;
  }
  static __device__ __forceinline__ ScaledRows load_scaled(u32 tile, int box, int half) {
    ScaledRows rows;
    (Rows&)rows = load_rows(tile + lane_place(), box, 0, half);
#pragma unroll
    for (int i = 0; i < BOX_GROUPS; i++)
      rows.scales[i] = int4_scale(load_scale(tile + scale_place(), box * 64 / GROUP_K + i, half));
    return rows;
  }

  static __device__ __forceinline__ void fragment(u32 (&f)[4], const Rows& low, const Rows& high, int i) {
    const int group = i * BOX_GROUPS / 4;
    int4_pairs(low.words[i >> 1], i & 1, low.zeros[group], f[0], f[2]);
    int4_pairs(high.words[i >> 1], i & 1, high.zeros[group], f[1], f[3]);
  }
  static __device__ __forceinline__ void fragment(u32 (&f)[4], const ScaledRows& low, const ScaledRows& high, int i) {
    fragment(f, (const Rows&)low, (const Rows&)high, i);
    const int group = i * BOX_GROUPS / 4;
#pragma unroll
    for (int j = 0; j < 4; j++) f[j] = scale_pair(f[j], j & 1 ? high.scales[group] : low.scales[group]);
  }

  // ---- in global memory ----
  static constexpr int CHUNK_GROUPS = 128 / GROUP_K;

  // Words, scales and zeros of rows g and g + 8 of a tile.
  struct Chunk {
    u32 words[2][2][2];  // [half][box]
    u16 scales[2][CHUNK_GROUPS];
    u8 zeros[2][CHUNK_GROUPS];
  };

  // A tile after the last row is not there.
  static __device__ __forceinline__ void load_chunk(Chunk& c, const u8* weight, int row, int chunk, int n,
                                                    int columns) {
    const u8* tile = weight + ((size_t)(min(row, n - 1) >> 4) * Tiles::tiles_of(columns) + chunk) * Tiles::TILE_BYTES;
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
      for (int box = 0; box < 2; box++)
        load_stream8(tile + box * 512 + half * 256 + (threadIdx.x & 31) * 8, c.words[half][box]);
#pragma unroll
      for (int group = 0; group < CHUNK_GROUPS; group++) {
        const u32 place = row_of_group(group, half);
        c.scales[half][group] = __ldg((const u16*)(tile + SCALES) + place);
        c.zeros[half][group] = HAS_ZEROS ? __ldg(tile + ZEROS + place) : 8;
      }
    }
  }
  static __device__ __forceinline__ void chunk_fragment(u32 (&f)[4], const Chunk& c, int i) {
    const int box = i >> 2, word = i >> 1 & 1, group = i / GROUP_PRODUCTS;
    int4_pairs(c.words[0][box][word], i & 1, int4_zero(c.zeros[0][group]), f[0], f[2]);
    int4_pairs(c.words[1][box][word], i & 1, int4_zero(c.zeros[1][group]), f[1], f[3]);
  }
  static __device__ __forceinline__ float scale_of(const Chunk& c, int group, int half) {
    return half_bits_to_float(c.scales[half][group]);
  }
};

template <>
struct Weights<INT4_G128> : Int4Weights<128, false> {};
template <>
struct Weights<INT4_G64> : Int4Weights<64, false> {};
template <>
struct Weights<INT4_G32> : Int4Weights<32, false> {};
template <>
struct Weights<INT4_G128_ZEROS> : Int4Weights<128, true> {};
template <>
struct Weights<INT4_G64_ZEROS> : Int4Weights<64, true> {};
template <>
struct Weights<INT4_G32_ZEROS> : Int4Weights<32, true> {};
