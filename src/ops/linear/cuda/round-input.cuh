// Rows of activations in 8 bits for wide8.cu: byte = round(x * 127 / max|x|), with a scale for each row. A block a row.
//
// The bytes of 16 columns lie in the order in which tiles of int8 weights have them (weights.cuh): word t has the
// columns 2t, 2t + 1, 2t + 8 and 2t + 9. Rows are padded with zeros to whole boxes of 128 bytes.
#pragma once
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"

struct RoundInputArgs {
  const u16* x;  // [m, k], k a multiple of 8
  u8* out;       // [m, k rounded up to 128]
  float* scale;  // [m]
  int k;
};

// Largest magnitude of a block's 16-bit values, as their bits: those of infinities and NaNs are larger than of numbers.
__device__ __forceinline__ u32 block_max_bits(u32 pairs, u32* scratch) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) pairs = __vmaxu2(pairs, __shfl_xor_sync(0xffffffffu, pairs, mask));
  if ((threadIdx.x & 31) == 0) scratch[threadIdx.x >> 5] = pairs;
  __syncthreads();
  u32 most = 0;
  for (int i = 0; i < (int)(blockDim.x >> 5); i++) most = __vmaxu2(most, scratch[i]);
  return max(most & 0xffff, most >> 16);
}

__device__ __forceinline__ u32 rounded_byte(float value, float inverse) {
  return (u32)__float2int_rn(__fmul_rn(value, inverse)) & 0xff;
}

extern "C" __global__ void __launch_bounds__(256) round_input(const RoundInputArgs a) {
  __shared__ u32 scratch[8];
  allow_successor();
  wait_predecessor();
  const u16* x = a.x + (size_t)blockIdx.x * a.k;
  u32 most = 0;
  for (int i = threadIdx.x * 8; i < a.k; i += blockDim.x * 8) {
    const Vec16 v = load16(x + i);
#pragma unroll
    for (int j = 0; j < 4; j++) most = __vmaxu2(most, v.w[j] & 0x7fff7fffu);
  }
  const float largest = act_to_float((u16)block_max_bits(most, scratch));
  // A row of zeros stays one; one with an infinity or a NaN becomes NaN as a whole.
  const float inverse = largest < 1e-30f ? 0.f : __fdiv_rn(127.f, largest);
  const bool isFinite = largest - largest == 0.f;
  if (threadIdx.x == 0) a.scale[blockIdx.x] = isFinite ? __fdiv_rn(largest, 127.f) : __uint_as_float(0x7fc00000u);
  const int padded = (a.k + 127) & ~127;
  u8* out = a.out + (size_t)blockIdx.x * padded;
  for (int i = threadIdx.x * 16; i < padded; i += blockDim.x * 16) {
    float low[8], high[8];
    unpack8(i < a.k ? load16(x + i) : zero16(), low);
    unpack8(i + 8 < a.k ? load16(x + i + 8) : zero16(), high);
    Vec16 bytes;
#pragma unroll
    for (int t = 0; t < 4; t++)
      bytes.w[t] = rounded_byte(low[2 * t], inverse) | rounded_byte(low[2 * t + 1], inverse) << 8 |
                   rounded_byte(high[2 * t], inverse) << 16 | rounded_byte(high[2 * t + 1], inverse) << 24;
    store16(out + i, bytes);
  }
}
