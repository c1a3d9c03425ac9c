// Makes a dense row-major matrix in 16 bits of int8 or fp8 tiles and their scales: for products with so many rows that
// reading the weights is not what takes the time.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/warp.cuh"
#include "linear/cuda/dequantise-args.cuh"
#include "linear/cuda/weights.cuh"

// One warp a tile of 16 rows by 64 k.
template <WeightFormat FORMAT>
__device__ __forceinline__ void dequantise_bytes(const DequantiseArgs& a) {
  allow_successor();
  wait_predecessor();
  const int boxes = (a.k + 63) >> 6, lane = threadIdx.x & 31;
  const int tile = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5);
  const int row0 = tile / boxes * 16, k0 = tile % boxes * 64 + (lane & 3) * 8;
  if (row0 >= a.n) return;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const Vec16 bytes = load_stream(a.tiles + (size_t)tile * 1024 + half * 512 + lane * 16);
    const int row = row0 + half * 8 + (lane >> 2);
    const float s = row < a.n ? a.scale[row] : 0.f;
#pragma unroll
    for (int part = 0; part < 2; part++) {
      Vec16 words;  // k 2t and 2t + 1 of each 8 of half of the tile's
#pragma unroll
      for (int i = 0; i < 2; i++) {
        u32 low, high;
        Weights<FORMAT>::unpack4(bytes.w[part * 2 + i], low, high);
        words.w[2 * i] = pack_act(act_low(low) * s, act_high(low) * s);
        words.w[2 * i + 1] = pack_act(act_low(high) * s, act_high(high) * s);
      }
      transpose4(words.w);
      const int column = k0 + part * 32;
      if (row < a.n && column < a.k) store16(a.out + (size_t)row * a.k + column, words);
    }
  }
}

#define DEQUANTISE_KERNEL(name, FORMAT) \
  extern "C" __global__ void name(const DequantiseArgs args) { dequantise_bytes<FORMAT>(args); }

// A unit includes this file and makes its kernels with DEQUANTISE_KERNEL lines.
