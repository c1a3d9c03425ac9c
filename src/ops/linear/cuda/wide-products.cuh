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
  static constexpr bool PROMOTES = false;    // sums as wide-promoted.cuh adds them
  static constexpr int TOKEN_BOX_K = 64;     // 128 bytes
  static __device__ __forceinline__ void fragment(u32 (&f)[4], const typename W::ScaledRows& low,
                                                  const typename W::ScaledRows& high, int i) {
    W::fragment(f, low, high, i);
  }
  template <int SUMS> static __device__ __forceinline__ void add(float (&sums)[SUMS], const u32 (&f)[4], u64 tokens) {
    wgmma_rows(sums, f, tokens);
  }
  // sums: of token `token` and the next, for a low and a high row.
  static __device__ __forceinline__ void values(const WideView&, int, const float (&sums)[4], float (&out)[4]) {
#pragma unroll
    for (int i = 0; i < 4; i++) out[i] = sums[i];
  }
};

template <WeightFormat FORMAT> struct ByteSum;
template <> struct ByteSum<INT8> {
  typedef int Type;
};
template <> struct ByteSum<FP8> {
  typedef float Type;
};

// Activations in 8 bits: weights are operands as they are stored, but for the offset of 128 that int8 has. A tile's
// words of four bytes have the columns of a 16-bit product, 2t, 2t + 1, 2t + 8 and 2t + 9 of 16; round-input.cuh puts x
// in the same order.
template <WeightFormat FORMAT> struct ByteProducts {
  typedef Weights<FORMAT> W;
  typedef typename ByteSum<FORMAT>::Type Sum;
  static constexpr int COUNT = 2;
  static constexpr bool PROMOTES = FORMAT == FP8;
  static constexpr int TOKEN_BOX_K = 128;
  static __device__ __forceinline__ void fragment(u32 (&f)[4], const Vec16& low, const Vec16& high, int i) {
    const u32 offset = FORMAT == INT8 ? 0x80808080u : 0;
    f[0] = low.w[2 * i] ^ offset;
    f[1] = high.w[2 * i] ^ offset;
    f[2] = low.w[2 * i + 1] ^ offset;
    f[3] = high.w[2 * i + 1] ^ offset;
  }
  template <int SUMS> static __device__ __forceinline__ void add(int (&sums)[SUMS], const u32 (&f)[4], u64 tokens) {
    wgmma_rows(sums, f, tokens);
  }
  // `adds`: to the sums, which are overwritten otherwise.
  template <int SUMS> static __device__ __forceinline__ void add(float (&sums)[SUMS], const u32 (&f)[4], u64 tokens,
                                                                 bool adds) {
    wgmma_e4m3(sums, f, tokens, adds);
  }
  static __device__ __forceinline__ void values(const WideView& a, int token, const Sum (&sums)[4], float (&out)[4]) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const float scale = token + i < a.m ? __ldg(a.inputScale + token + i) : 0.f;
      out[i] = (float)sums[i] * scale;
      out[2 + i] = (float)sums[2 + i] * scale;
    }
  }
};
