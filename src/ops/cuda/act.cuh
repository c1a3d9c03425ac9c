// Activations of 16 bits: they are moved as u16 and u32, and computed with in f32.
// ACT_BF16 makes activations and dense weights bf16. Without it they are f16.
#pragma once
#include "cuda/types.cuh"

__device__ __forceinline__ float half_bits_to_float(u16 bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

// Rounds two f32 to nearest even and packs them, `low` in the low half.
__device__ __forceinline__ u32 pack_act(float low, float high) {
  u32 packed;
#ifdef ACT_BF16
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
#else
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
#endif
  return packed;
}

__device__ __forceinline__ float act_low(u32 packed) {
#ifdef ACT_BF16
  return __uint_as_float(packed << 16);
#else
  return half_bits_to_float((u16)packed);
#endif
}

__device__ __forceinline__ float act_high(u32 packed) {
#ifdef ACT_BF16
  return __uint_as_float(packed & 0xffff0000u);
#else
  return half_bits_to_float((u16)(packed >> 16));
#endif
}

__device__ __forceinline__ float act_to_float(u16 bits) { return act_low(bits); }
__device__ __forceinline__ u16 float_to_act(float value) { return (u16)pack_act(value, 0.f); }
// Rounds a value to what an activation holds.
__device__ __forceinline__ float round_act(float value) { return act_low(pack_act(value, 0.f)); }

__device__ __forceinline__ void unpack8(const Vec16& v, float (&out)[8]) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    out[2 * i] = act_low(v.w[i]);
    out[2 * i + 1] = act_high(v.w[i]);
  }
}

__device__ __forceinline__ Vec16 pack8(const float (&in)[8]) {
  Vec16 v;
#pragma unroll
  for (int i = 0; i < 4; i++) v.w[i] = pack_act(in[2 * i], in[2 * i + 1]);
  return v;
}
