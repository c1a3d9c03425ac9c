// int8 weights, which are stored as value + 128.
#pragma once
#include "cuda/act.cuh"

__device__ __forceinline__ u32 permute_bytes(u32 a, u32 b, u32 selector) {
  u32 out;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(out) : "r"(a), "r"(b), "r"(selector));
  return out;
}

// Turns four stored bytes into four activations in two registers. It is exact: every value in [-128, 127] fits both
// types.
__device__ __forceinline__ void dequantise4(u32 bytes, u32& low, u32& high) {
#ifdef ACT_BF16
  // 0x4b000000 + u is 2^23 + u in f32.
  const u32 magic = 0x4b000000u;
  float f0 = __uint_as_float(permute_bytes(bytes, magic, 0x7650)) - 8388736.f;
  float f1 = __uint_as_float(permute_bytes(bytes, magic, 0x7651)) - 8388736.f;
  float f2 = __uint_as_float(permute_bytes(bytes, magic, 0x7652)) - 8388736.f;
  float f3 = __uint_as_float(permute_bytes(bytes, magic, 0x7653)) - 8388736.f;
  low = pack_act(f0, f1);
  high = pack_act(f2, f3);
#else
  // 0x6400 + u is 1024 + u in f16; 0x6480 is 1152.
  const u32 magic = 0x64646464u;
  u32 l = permute_bytes(bytes, magic, 0x5140);
  u32 h = permute_bytes(bytes, magic, 0x5342);
  asm("sub.f16x2 %0, %1, %2;" : "=r"(low) : "r"(l), "r"(0x64806480u));
  asm("sub.f16x2 %0, %1, %2;" : "=r"(high) : "r"(h), "r"(0x64806480u));
#endif
}
