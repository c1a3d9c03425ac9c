// Rows of activations in 8 bits for wide8.cu and widef8.cu, with a scale for each row. A block a row.
//
// The bytes of 16 columns lie in the order in which tiles of weights in bytes have them (weights.cuh): word t has the
// columns 2t, 2t + 1, 2t + 8 and 2t + 9. Rows are padded with zeros to whole boxes of 128 bytes.
#pragma once
#include "cuda/act.cuh"
#include "cuda/e4m3.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"

struct RoundInputArgs {
  const u16* x;  // [m, k], k a multiple of 8
  u8* out;       // [m, k rounded up to 128]
  float* scale;  // [m]
  int k;
};

// byte = round(x * 127 / max|x|)
struct Int8Codes {
  static constexpr float LARGEST = 127.f;
  static __device__ __forceinline__ u32 pair(float low, float high) {
    return ((u32)__float2int_rn(low) & 0xff) | ((u32)__float2int_rn(high) & 0xff) << 8;
  }
};

// E4M3 of x * 448 / max|x|.
struct E4m3Codes {
  static constexpr float LARGEST = 448.f;
  static __device__ __forceinline__ u32 pair(float low, float high) { return pack_e4m3(low, high); }
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

// Takes 4 bytes of shared memory for each warp.
template <typename CODES> __device__ __forceinline__ void round_row(const RoundInputArgs& a) {
  extern __shared__ __align__(1024) u8 memory[];
  allow_successor();
  wait_predecessor();
  const u16* x = a.x + (size_t)blockIdx.x * a.k;
  u32 most = 0;
  for (int i = threadIdx.x * 8; i < a.k; i += blockDim.x * 8) {
    const Vec16 v = load16(x + i);
#pragma unroll
    for (int j = 0; j < 4; j++) most = __vmaxu2(most, v.w[j] & 0x7fff7fffu);
  }
  const float largest = act_to_float((u16)block_max_bits(most, (u32*)memory));
  // A row of zeros stays one; one with an infinity or a NaN becomes NaN as a whole.
  const float inverse = largest < 1e-30f ? 0.f : __fdiv_rn(CODES::LARGEST, largest);
  const bool isFinite = largest - largest == 0.f;
  if (threadIdx.x == 0)
    a.scale[blockIdx.x] = isFinite ? __fdiv_rn(largest, CODES::LARGEST) : __uint_as_float(0x7fc00000u);
  const int padded = (a.k + 127) & ~127;
  u8* out = a.out + (size_t)blockIdx.x * padded;
  for (int i = threadIdx.x * 16; i < padded; i += blockDim.x * 16) {
    float low[8], high[8];
    unpack8(i < a.k ? load16(x + i) : zero16(), low);
    unpack8(i + 8 < a.k ? load16(x + i + 8) : zero16(), high);
    Vec16 bytes;
#pragma unroll
    for (int t = 0; t < 4; t++)
      bytes.w[t] = CODES::pair(__fmul_rn(low[2 * t], inverse), __fmul_rn(low[2 * t + 1], inverse)) |
                   CODES::pair(__fmul_rn(high[2 * t], inverse), __fmul_rn(high[2 * t + 1], inverse)) << 16;
    store16(out + i, bytes);
  }
}

#define ROUND_INPUT_KERNEL(name, CODES) \
  extern "C" __global__ void __launch_bounds__(256) name(const RoundInputArgs args) { round_row<CODES>(args); }
