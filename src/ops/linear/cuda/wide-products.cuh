// In which numbers wide.cuh multiplies: operands of 64 k of weights, sums, and what a sum is worth.
#pragma once
#include "cuda/act.cuh"
#include "cuda/wgmma.cuh"
#include "linear/cuda/weights.cuh"
#include "linear/cuda/wide-args.cuh"

// The last argument only names the type.
__device__ __forceinline__ float sum_of_bits(u32 bits, float) { return __uint_as_float(bits); }
__device__ __forceinline__ int sum_of_bits(u32 bits, int) { return (int)bits; }

// Activations as they are: weights become activations.
template <WeightFormat FORMAT> struct ActProducts {
  typedef Weights<FORMAT> W;
  typedef float Sum;
  static constexpr int COUNT = W::PRODUCTS;  // of 64 k
  static constexpr int TOKEN_BOX_K = 64;     // 128 bytes
  static __device__ __forceinline__ void fragment(u32 (&f)[4], const typename W::ScaledRows& low,
                                                  const typename W::ScaledRows& high, int i) {
    W::fragment(f, low, high, i);
  }
  // sums: of token `token` and the next, for a low and a high row.
  static __device__ __forceinline__ void values(const WideView&, int, const float (&sums)[4], float (&out)[4]) {
#pragma unroll
    for (int i = 0; i < 4; i++) out[i] = sums[i];
  }
};

// Activations in 8 bits: weights are operands as they are stored, but for the offset of 128. A tile's words of four
// bytes have the columns of a 16-bit product, 2t, 2t + 1, 2t + 8 and 2t + 9 of 16; round-input.cuh puts x in the same
// order.
template <WeightFormat FORMAT> struct ByteProducts {
  static_assert(FORMAT == INT8, "weights are bytes");
  typedef Weights<FORMAT> W;
  typedef int Sum;
  static constexpr int COUNT = 2;
  static constexpr int TOKEN_BOX_K = 128;
  static __device__ __forceinline__ void fragment(u32 (&f)[4], const Vec16& low, const Vec16& high, int i) {
    const u32 offset = 0x80808080u;
    f[0] = low.w[2 * i] ^ offset;
    f[1] = high.w[2 * i] ^ offset;
    f[2] = low.w[2 * i + 1] ^ offset;
    f[3] = high.w[2 * i + 1] ^ offset;
  }
  static __device__ __forceinline__ void values(const WideView& a, int token, const int (&sums)[4], float (&out)[4]) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const float scale = token + i < a.m ? __ldg(a.inputScale + token + i) : 0.f;
      out[i] = (float)sums[i] * scale;
      out[2 + i] = (float)sums[2 + i] * scale;
    }
  }
};
