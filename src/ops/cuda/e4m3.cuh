// FP8 E4M3 numbers as activations, and activations as E4M3.
#pragma once
#include "cuda/act.cuh"
#include "cuda/int8.cuh"

// The two numbers in the low 16 bits as a pair of f16. It is exact.
__device__ __forceinline__ u32 halves_of_e4m3(u32 bytes) {
  u32 pair;
#if __CUDA_ARCH__ >= 890
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(pair) : "h"((u16)bytes));
#else
  // Exponent and fraction in their places of an f16, whose bias makes them 2^-8 of the number.
  const u32 spread = permute_bytes(bytes, 0, 0x1404);
  const u32 small = (spread & 0x80008000u) | (spread & 0x7f007f00u) >> 1;
  asm("mul.f16x2 %0, %1, %2;" : "=r"(pair) : "r"(small), "r"(0x5c005c00u));
#endif
  return pair;
}

__device__ __forceinline__ u32 acts_of_e4m3(u32 bytes) {
  const u32 pair = halves_of_e4m3(bytes);
#ifdef ACT_BF16
  return pack_act(half_bits_to_float((u16)pair), half_bits_to_float((u16)(pair >> 16)));
#else
  return pair;
#endif
}

// Turns four stored bytes into four activations in two registers, without a rounding.
__device__ __forceinline__ void widen4(u32 bytes, u32& low, u32& high) {
  low = acts_of_e4m3(bytes);
  high = acts_of_e4m3(bytes >> 16);
}

// Rounds two f32 of at most 448 to nearest even, `low` in the low byte. Compute capability 8.9.
__device__ __forceinline__ u32 pack_e4m3(float low, float high) {
  u16 pair;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(high), "f"(low));
  return pair;
}
