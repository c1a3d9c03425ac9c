// Arithmetic on pairs of activations in a word.
#pragma once
#include "cuda/types.cuh"

// A 16-bit value in both halves.
__device__ __forceinline__ u32 twice(u32 bits) { return bits * 0x10001u; }

// (word & mask) | bits, in one instruction: of two constants the compiler makes two.
__device__ __forceinline__ u32 masked_with(u32 word, u32 mask, u32 bits) {
  u32 out;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(out) : "r"(word), "r"(mask), "r"(bits));
  return out;
}

__device__ __forceinline__ u32 add_pairs(u32 a, u32 b) {
  u32 sum;
#ifdef ACT_BF16
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(0x3f803f80u), "r"(b));
#else
  asm("add.f16x2 %0, %1, %2;" : "=r"(sum) : "r"(a), "r"(b));
#endif
  return sum;
}

__device__ __forceinline__ u32 multiply_pairs(u32 a, u32 b) {
  u32 product;
#ifdef ACT_BF16
  asm("mul.bf16x2 %0, %1, %2;" : "=r"(product) : "r"(a), "r"(b));
#else
  asm("mul.f16x2 %0, %1, %2;" : "=r"(product) : "r"(a), "r"(b));
#endif
  return product;
}

__device__ __forceinline__ u32 multiply_add_pairs(u32 a, u32 b, u32 c) {
  u32 sum;
#ifdef ACT_BF16
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
#else
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
#endif
  return sum;
}
