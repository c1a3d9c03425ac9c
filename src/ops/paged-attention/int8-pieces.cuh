// Numbers as pairs of bytes, and computations of the warps that multiply them (decode-int8.cuh).
#pragma once
#include "cuda/int8.cuh"

#define PIECE 128  // what a low piece is divided by

// Two integers that stand for a number in [-127, 127]: high + low / PIECE.
struct Pieces {
  int high, low;
};
__device__ __forceinline__ Pieces pieces_of(float x) {
  const float high = rintf(x);
  return {(int)high, __float2int_rn((x - high) * (float)PIECE)};
}
// Four integers in [-128, 127] as bytes, the first lowest.
__device__ __forceinline__ u32 pack_bytes(int a, int b, int c, int d) {
  u32 word;
  asm("{\n.reg .b32 upper;\ncvt.pack.sat.s8.s32.b32 upper, %4, %3, 0;\ncvt.pack.sat.s8.s32.b32 %0, %2, %1, upper;\n}"
      : "=r"(word)
      : "r"(a), "r"(b), "r"(c), "r"(d));
  return word;
}
// Sum of four bytes that are signed.
__device__ __forceinline__ int byte_sum(u32 word) { return __dp4a((int)word, 0x01010101, 0); }
// A maximum that is NaN where one of both is.
__device__ __forceinline__ float max_or_nan(float a, float b) {
  float largest;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(largest) : "f"(a), "f"(b));
  return largest;
}
// Transposes four words: byte i of word b comes from byte b of word i.
__device__ __forceinline__ void transpose_bytes(const u32 (&in)[4], u32 (&out)[4]) {
  const u32 low0 = permute_bytes(in[0], in[1], 0x5140), low1 = permute_bytes(in[2], in[3], 0x5140);
  const u32 high0 = permute_bytes(in[0], in[1], 0x7362), high1 = permute_bytes(in[2], in[3], 0x7362);
  out[0] = permute_bytes(low0, low1, 0x5410);
  out[1] = permute_bytes(low0, low1, 0x7632);
  out[2] = permute_bytes(high0, high1, 0x5410);
  out[3] = permute_bytes(high0, high1, 0x7632);
}
