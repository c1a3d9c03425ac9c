// Codes of a cache of 8 bits as activations: the same bits wherever they are made.
#pragma once
#include "cuda/act.cuh"
#include "paged-attention/kv-cache.cuh"

#if defined(KV_INT8) && !defined(ACT_BF16)
// A scale as two factors in f16, each for a pair: one with its digits, 2^-7 to 2^-6, and a power of two. Codes times
// the first are exact but for one rounding and never too small; the second rounds only what f16 cannot hold.
struct ScaleFactors {
  u32 digits, power;
};
__device__ __forceinline__ ScaleFactors factors_of(float scale) {
  const u32 bits = __float_as_uint(scale);
  const float digits = __uint_as_float((bits & 0x7fffffu) | 0x3c000000u);
  const float power = __uint_as_float((min(bits >> 23, 247u) + 7) << 23);
  return {pack_act(digits, digits), pack_act(power, power)};
}
__device__ __forceinline__ u32 multiply_halves(u32 a, u32 b) {
  u32 product;
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(product) : "r"(a), "r"(b));
  return product;
}
// Eight codes as activations. Pairs take half the instructions of f32.
__device__ __forceinline__ Vec16 scaled_activations(u32 first, u32 second, const ScaleFactors& factors) {
  Vec16 v;
  dequantise4(first, v.w[0], v.w[1]);
  dequantise4(second, v.w[2], v.w[3]);
#pragma unroll
  for (int i = 0; i < 4; i++) v.w[i] = multiply_halves(multiply_halves(v.w[i], factors.digits), factors.power);
  return v;
}
#else
typedef float ScaleFactors;
__device__ __forceinline__ ScaleFactors factors_of(float scale) { return scale; }
__device__ __forceinline__ Vec16 scaled_activations(u32 first, u32 second, ScaleFactors scale) {
  float x[8];
  kv_unpack(KvVector{{first, second}, 1.f}, x);
#pragma unroll
  for (int j = 0; j < 8; j++) x[j] *= scale;
  return pack8(x);
}
#endif
