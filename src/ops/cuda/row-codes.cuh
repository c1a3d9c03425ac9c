// Rows of activations in 8 bits with a scale for each row, whichever kernel rounds them: a block a row.
//
// The bytes of 16 columns lie in the order in which tiles of weights in bytes have them (linear/cuda/weights.cuh): word
// t has the columns 2t, 2t + 1, 2t + 8 and 2t + 9.
#pragma once
#include "cuda/act.cuh"
#include "cuda/e4m3.cuh"
#include "cuda/memory.cuh"

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

// Factor that makes codes of a row's values. `most` are the largest magnitudes of this thread's, as pairs of 16 bits;
// `scratch` has a word for each warp. Stores the scale of the row.
template <typename CODES> __device__ __forceinline__ float row_codes_inverse(u32 most, u32* scratch, float* scale) {
  const float largest = act_to_float((u16)block_max_bits(most, scratch));
  const bool isFinite = largest - largest == 0.f;
  if (threadIdx.x == 0) *scale = isFinite ? __fdiv_rn(largest, CODES::LARGEST) : __uint_as_float(0x7fc00000u);
  // A row of zeros stays one; one with an infinity or a NaN becomes NaN as a whole.
  return largest < 1e-30f ? 0.f : __fdiv_rn(CODES::LARGEST, largest);
}
