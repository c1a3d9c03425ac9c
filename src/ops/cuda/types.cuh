// Names of integer types, and the 16 bytes that a thread moves at once.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char i8;

struct alignas(16) Vec16 {
  u32 w[4];
};

__device__ __forceinline__ Vec16 zero16() { return Vec16{{0, 0, 0, 0}}; }

// Chooses word by word: a choice between two structs would send both to local memory.
__device__ __forceinline__ Vec16 choose(bool first, const Vec16& a, const Vec16& b) {
  Vec16 v;
#pragma unroll
  for (int i = 0; i < 4; i++) v.w[i] = first ? a.w[i] : b.w[i];
  return v;
}
