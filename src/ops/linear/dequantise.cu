// int8 tiles to a dense row-major matrix in 16 bits, scale included: for products with so many rows that reading the
// weights is not what takes the time.
#include "prelude.cuh"

// Lane t of four has word t of each of four vectors, and gets all of vector t.
__device__ __forceinline__ Vec16 gather_words(const u32 (&w)[4]) {
  const bool odd = threadIdx.x & 1, upper = threadIdx.x & 2;
  u32 pairs[2][2];  // of vector 2 i + odd: words 2 (t / 2) and the next
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const u32 kept = odd ? w[2 * i + 1] : w[2 * i], other = __shfl_xor_sync(0xffffffffu, odd ? w[2 * i] : w[2 * i + 1], 1);
    pairs[i][0] = odd ? other : kept;
    pairs[i][1] = odd ? kept : other;
  }
  Vec16 v;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const u32 kept = upper ? pairs[1][i] : pairs[0][i], other = __shfl_xor_sync(0xffffffffu, upper ? pairs[0][i] : pairs[1][i], 2);
    v.w[i] = upper ? other : kept;
    v.w[2 + i] = upper ? kept : other;
  }
  return v;
}

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
      u32 words[4];  // k 2t and 2t + 1 of each 8 of half of the tile's
#pragma unroll
      for (int i = 0; i < 2; i++) {
        u32 low, high;
        dequantise4(bytes.w[part * 2 + i], low, high);
        words[2 * i] = pack_act(act_low(low) * s, act_high(low) * s);
        words[2 * i + 1] = pack_act(act_low(high) * s, act_high(high) * s);
      }
      const Vec16 packed = gather_words(words);
      const int column = k0 + part * 32;
      if (row < n && column < k) store16(out + (size_t)row * k + column, packed);
    }
  }
}
