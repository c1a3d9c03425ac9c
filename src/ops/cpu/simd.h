// Sixteen floats at a time, whatever the machine: one AVX-512 register, two AVX2 registers or four of NEON or the
// baseline.
// Lanes and orders of summation are the same at every level; fused multiply-add is not available at the portable one.
#pragma once
#include "half.h"
#include "levels.h"
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__AVX512F__)
#include "simd-avx512.h"
#elif defined(__AVX2__)
#include "simd-avx2.h"
#elif defined(ALOFT_NEON)
#include "simd-neon.h"
#else
#include "simd-portable.h"
#endif

namespace aloft::ALOFT_ISA {

constexpr int lanes = 16;
constexpr float infinity = std::numeric_limits<float>::infinity();

// The first `count` lanes from memory, 0 in the others. 0 <= count <= 16.
inline F32x16 loadPartial(const float* from, int64_t count) {
  if (count == lanes) return load(from);
  alignas(64) float buffer[lanes] = {};
  std::memcpy(buffer, from, count * sizeof(float));
  return load(buffer);
}

inline void storePartial(float* to, F32x16 value, int64_t count) {
  if (count == lanes) return store(to, value);
  alignas(64) float buffer[lanes];
  store(buffer, value);
  std::memcpy(to, buffer, count * sizeof(float));
}

// Lanes 0 .. 15 as numbers.
inline F32x16 laneIndex() {
  alignas(64) static const float index[lanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return load(index);
}

// Sum of all lanes, always in the same order: halves, quarters, ...
inline float reduceAdd(F32x16 value) {
  alignas(64) float part[lanes];
  store(part, value);
  for (int width = lanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) part[i] += part[i + width];
  return part[0];
}

inline float reduceMax(F32x16 value) {
  alignas(64) float part[lanes];
  store(part, value);
  for (int width = lanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) part[i] = part[i] > part[i + width] ? part[i] : part[i + width];
  return part[0];
}

// e^x with a relative error below 2e-7; exactly 0 below -87.33 and exactly 1 at 0; infinity above 88.72; NaN stays NaN.
// x = n ln 2 + r with |r| <= ln(2) / 2, ln 2 split in two so that n times its first part is exact, and e^r = 1 + r +
// r^2 q(r), where q interpolates (e^r - 1 - r) / r^2 at six Chebyshev nodes (relative error 2.3e-10 before rounding).
inline F32x16 exp(F32x16 x) {
  const F32x16 clamped = min(broadcast(88.72f), max(broadcast(-87.33f), x));
  const F32x16 n = roundToNearest(clamped * broadcast(1.442695041f));
  const F32x16 r = fma(n, broadcast(2.1219444e-4f), fma(n, broadcast(-0.693359375f), clamped));
  F32x16 q = broadcast(1.9890981e-4f);
  q = fma(q, r, broadcast(1.3933641e-3f));
  q = fma(q, r, broadcast(8.3333109e-3f));
  q = fma(q, r, broadcast(4.1666465e-2f));
  q = fma(q, r, broadcast(1.6666667e-1f));
  q = fma(q, r, broadcast(0.5f));
  F32x16 result = timesPowerOfTwo(fma(q, r * r, r) + broadcast(1.0f), n);
  result = select(x < broadcast(-87.33f), broadcast(0.0f), result);
  result = select(x > broadcast(88.72f), broadcast(infinity), result);
  return result;
}

// cap * tanh(x / cap), with an error below 2e-7 of `cap`; NaN stays NaN.
inline F32x16 softCapped(F32x16 x, F32x16 cap) {
  const F32x16 two = broadcast(2.0f);
  return cap - two * cap / (exp(two * x / cap) + broadcast(1.0f));
}

}  // namespace aloft::ALOFT_ISA
