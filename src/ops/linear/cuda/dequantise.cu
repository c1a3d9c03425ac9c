// int8 tiles to a dense row-major matrix in 16 bits, scale included: for products with so many rows that reading the
// weights is not what takes the time.
#include "cuda/act.cuh"
#include "cuda/int8.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/warp.cuh"

// One warp a tile of 16 rows x 64 k. out [n, k].
extern "C" __global__ void dequantise(const u8* tiles, const float* scale, u16* out, int n, int k) {
  allow_successor();
  wait_predecessor();
  const int boxes = (k + 63) >> 6, lane = threadIdx.x & 31;
  const int tile = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5);
  const int row0 = tile / boxes * 16, k0 = tile % boxes * 64 + (lane & 3) * 8;
  if (row0 >= n) return;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const Vec16 bytes = load_stream(tiles + (size_t)tile * 1024 + half * 512 + lane * 16);
    const int row = row0 + half * 8 + (lane >> 2);
    const float s = row < n ? scale[row] : 0.f;
#pragma unroll
    for (int part = 0; part < 2; part++) {
      Vec16 words;  // k 2t and 2t + 1 of each 8 of half of the tile's
#pragma unroll
      for (int i = 0; i < 2; i++) {
        u32 low, high;
        dequantise4(bytes.w[part * 2 + i], low, high);
        words.w[2 * i] = pack_act(act_low(low) * s, act_high(low) * s);
        words.w[2 * i + 1] = pack_act(act_low(high) * s, act_high(high) * s);
      }
      transpose4(words.w);
      const int column = k0 + part * 32;
      if (row < n && column < k) store16(out + (size_t)row * k + column, words);
    }
  }
}
