// F32x16 in the compiler's generic vectors: SSE2 on x86-64, on arm64 NEON without what C++ has no word for.
#pragma once
#include "half.h"
#include "levels.h"
#include <cstdint>
#include <cstring>

namespace aloft::ALOFT_ISA {

constexpr int tileRows = 2;
constexpr int tileVectors = 1;

typedef float Vector4 __attribute__((vector_size(16)));
typedef int32_t IntVector4 __attribute__((vector_size(16)));

struct F32x16 {
  Vector4 part[4];
};
struct Mask16 {
  IntVector4 part[4];
};

template <typename F> inline F32x16 eachPart(F&& make) { return {{make(0), make(1), make(2), make(3)}}; }

inline F32x16 load(const float* from) {
  F32x16 a;
  std::memcpy(&a, from, sizeof a);
  return a;
}
inline void store(float* to, F32x16 a) { std::memcpy(to, &a, sizeof a); }
inline F32x16 broadcast(float a) {
  return eachPart([&](int) { return Vector4{a, a, a, a}; });
}

inline F32x16 operator+(F32x16 a, F32x16 b) {
  return eachPart([&](int i) { return a.part[i] + b.part[i]; });
}
inline F32x16 operator-(F32x16 a, F32x16 b) {
  return eachPart([&](int i) { return a.part[i] - b.part[i]; });
}
inline F32x16 operator*(F32x16 a, F32x16 b) {
  return eachPart([&](int i) { return a.part[i] * b.part[i]; });
}
inline F32x16 operator/(F32x16 a, F32x16 b) {
  return eachPart([&](int i) { return a.part[i] / b.part[i]; });
}
// Rounds twice: the baseline has no fused instruction.
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return a * b + c; }

inline Mask16 operator<(F32x16 a, F32x16 b) {
  return {{a.part[0] < b.part[0], a.part[1] < b.part[1], a.part[2] < b.part[2], a.part[3] < b.part[3]}};
}
inline Mask16 operator>(F32x16 a, F32x16 b) { return b < a; }
inline F32x16 select(Mask16 mask, F32x16 yes, F32x16 no) {
  return eachPart([&](int i) { return mask.part[i] ? yes.part[i] : no.part[i]; });
}
inline bool any(Mask16 mask) {
  const IntVector4 merged = mask.part[0] | mask.part[1] | mask.part[2] | mask.part[3];
  return (merged[0] | merged[1] | merged[2] | merged[3]) != 0;
}
// The second operand where one is NaN.
inline F32x16 max(F32x16 a, F32x16 b) { return select(a > b, a, b); }
inline F32x16 min(F32x16 a, F32x16 b) { return select(a < b, a, b); }

// Adding 1.5 * 2^23 leaves no bits for a fraction. For |a| < 2^22.
inline F32x16 roundToNearest(F32x16 a) { return (a + broadcast(0x1.8p23f)) - broadcast(0x1.8p23f); }

inline Vector4 powerOfTwo(IntVector4 n) {
  const IntVector4 bits = (n + 127) << 23;
  Vector4 power;
  std::memcpy(&power, &bits, sizeof power);
  return power;
}
// a * 2^n for whole n in [-126, 128]: in two factors, because 2^128 has no exponent of its own.
inline F32x16 timesPowerOfTwo(F32x16 a, F32x16 n) {
  return eachPart([&](int i) {
    const IntVector4 whole = __builtin_convertvector(n.part[i], IntVector4);
    const IntVector4 half = whole >> 1;
    return a.part[i] * powerOfTwo(half) * powerOfTwo(whole - half);
  });
}

// IEEE binary16 in memory.
inline F32x16 loadHalf(const uint16_t* from) {
  F32x16 a;
  for (int i = 0; i < 16; i++) a.part[i / 4][i % 4] = halfToFloat(from[i]);
  return a;
}
inline void storeHalf(uint16_t* to, F32x16 a) {
  for (int i = 0; i < 16; i++) to[i] = floatToHalf(a.part[i / 4][i % 4]);
}
// Signed bytes.
inline F32x16 loadInt8(const uint8_t* from) {
  F32x16 a;
  for (int i = 0; i < 16; i++) a.part[i / 4][i % 4] = static_cast<int8_t>(from[i]);
  return a;
}
// 2^-8 of FP8 E4M3 numbers: sign, exponent and fraction moved to their places in a half.
inline F32x16 loadE4m3(const uint8_t* from) {
  uint16_t halves[16];
  for (int i = 0; i < 16; i++) halves[i] = uint16_t((from[i] & 0x80) << 8 | (from[i] & 0x7f) << 7);
  return loadHalf(halves);
}
// Nearest integers, for values in (-2^31, 2^31).
inline void storeInt32(int32_t* to, F32x16 a) {
  for (int i = 0; i < 16; i++) to[i] = static_cast<int32_t>(__builtin_lrintf(a.part[i / 4][i % 4]));
}

}  // namespace aloft::ALOFT_ISA
