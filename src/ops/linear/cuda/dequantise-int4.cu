// Makes a dense row-major matrix in 16 bits of int4 tiles, as dequantise.cu does of int8 tiles.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/warp.cuh"
#include "linear/cuda/dequantise-args.cuh"
#include "linear/cuda/weights.cuh"

// 64 k of rows 0 to 7 or 8 to 15 of a tile: lane 4 g + t has k 8t to 8t + 7 of either half of row g.
template <typename W>
__device__ __forceinline__ void dequantise_box(const DequantiseArgs& a, const u8* tile, int row0, int column0, int box,
                                               int half) {
  const int lane = threadIdx.x & 31, row = row0 + half * 8 + (lane >> 2);
  const u32* words = (const u32*)(tile + box * 512 + half * 256 + lane * 8);
  const u16* scales = (const u16*)(tile + W::SCALES);
#pragma unroll
  for (int part = 0; part < 2; part++) {
    const u32 group = W::row_of_group((box * 64 + part * 32) / (16 * W::GROUP_PRODUCTS), half);
    const float scale = half_bits_to_float(__ldg(scales + group));
    const int zero = W::HAS_ZERO_BYTES ? __ldg(tile + W::ZEROS + group) : 8;
    const u32 word = __ldg(words + part);
    // Pair i is k 2t and 2t + 1 of eight k.
    Vec16 pairs;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int shift = (i >> 1) * 4 + (i & 1) * 8;
      pairs.w[i] =
          pack_act(((int)(word >> shift & 15) - zero) * scale, ((int)(word >> shift + 16 & 15) - zero) * scale);
    }
    transpose4(pairs.w);
    const int column = column0 + box * 64 + part * 32 + (lane & 3) * 8;
    if (row < a.n && column < a.k) store16(a.out + (size_t)row * a.k + column, pairs);
  }
}

// One warp a tile of 16 rows by 128 k.
template <WeightFormat FORMAT>
__device__ __forceinline__ void dequantise_tile(const DequantiseArgs& a) {
  typedef Weights<FORMAT> W;
  allow_successor();
  wait_predecessor();
  const int across = W::tiles_of(a.k), index = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5);
  const int row0 = index / across * 16, column0 = index % across * 128;
  if (row0 >= a.n) return;
  const u8* tile = a.tiles + (size_t)index * W::TILE_BYTES;
#pragma unroll
  for (int i = 0; i < 4; i++) dequantise_box<W>(a, tile, row0, column0, i >> 1, i & 1);
}

#define DEQUANTISE_INT4_KERNEL(name, FORMAT) \
  extern "C" __global__ void name(const DequantiseArgs args) { dequantise_tile<FORMAT>(args); }

// A unit includes this file and makes its kernels with DEQUANTISE_INT4_KERNEL lines.
