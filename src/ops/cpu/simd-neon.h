// F32x16 in four NEON registers: what every arm64 processor has, with fused multiply-adds and conversions of halves.
#pragma once
#include "levels.h"
#include <arm_neon.h>
#include <cstdint>

namespace aloft::ALOFT_ISA {

// Tile of the matrix kernels: 4 x 1 accumulators of four registers each, 4 registers of a column, a broadcast.
constexpr int tileRows = 4;
constexpr int tileVectors = 1;

struct F32x16 {
  float32x4_t part[4];
};
struct Mask16 {
  uint32x4_t part[4];
};

template <typename F> inline F32x16 eachPart(F&& make) { return {{make(0), make(1), make(2), make(3)}}; }
template <typename F> inline Mask16 eachMask(F&& make) { return {{make(0), make(1), make(2), make(3)}}; }

inline F32x16 load(const float* from) {
  return eachPart([&](int i) { return vld1q_f32(from + 4 * i); });
}
inline void store(float* to, F32x16 a) {
  for (int i = 0; i < 4; i++) vst1q_f32(to + 4 * i, a.part[i]);
}
inline F32x16 broadcast(float a) {
  return eachPart([&](int) { return vdupq_n_f32(a); });
}

inline F32x16 operator+(F32x16 a, F32x16 b) {
  return eachPart([&](int i) { return vaddq_f32(a.part[i], b.part[i]); });
}
inline F32x16 operator-(F32x16 a, F32x16 b) {
  return eachPart([&](int i) { return vsubq_f32(a.part[i], b.part[i]); });
}
inline F32x16 operator*(F32x16 a, F32x16 b) {
  return eachPart([&](int i) { return vmulq_f32(a.part[i], b.part[i]); });
}
inline F32x16 operator/(F32x16 a, F32x16 b) {
  return eachPart([&](int i) { return vdivq_f32(a.part[i], b.part[i]); });
}
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return eachPart([&](int i) { return vfmaq_f32(c.part[i], a.part[i], b.part[i]); });
}

inline Mask16 operator<(F32x16 a, F32x16 b) {
  return eachMask([&](int i) { return vcltq_f32(a.part[i], b.part[i]); });
}
inline Mask16 operator>(F32x16 a, F32x16 b) { return b < a; }
inline F32x16 select(Mask16 mask, F32x16 yes, F32x16 no) {
  return eachPart([&](int i) { return vbslq_f32(mask.part[i], yes.part[i], no.part[i]); });
}
inline bool any(Mask16 mask) {
  return vmaxvq_u32(vorrq_u32(vorrq_u32(mask.part[0], mask.part[1]), vorrq_u32(mask.part[2], mask.part[3]))) != 0;
}
// The second operand where one is NaN.
inline F32x16 max(F32x16 a, F32x16 b) { return select(a > b, a, b); }
inline F32x16 min(F32x16 a, F32x16 b) { return select(a < b, a, b); }

inline F32x16 roundToNearest(F32x16 a) {
  return eachPart([&](int i) { return vrndnq_f32(a.part[i]); });
}

inline float32x4_t powerOfTwo(int32x4_t n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
// a * 2^n for whole n in [-126, 128]: in two factors, because 2^128 has no exponent of its own.
inline F32x16 timesPowerOfTwo(F32x16 a, F32x16 n) {
  return eachPart([&](int i) {
    const int32x4_t whole = vcvtnq_s32_f32(n.part[i]);
    const int32x4_t half = vshrq_n_s32(whole, 1);
    return vmulq_f32(vmulq_f32(a.part[i], powerOfTwo(half)), powerOfTwo(vsubq_s32(whole, half)));
  });
}

inline float32x4_t halvesToFloats(uint16x4_t halves) { return vcvt_f32_f16(vreinterpret_f16_u16(halves)); }

// IEEE binary16 in memory.
inline F32x16 loadHalf(const uint16_t* from) {
  return eachPart([&](int i) { return halvesToFloats(vld1_u16(from + 4 * i)); });
}
inline void storeHalf(uint16_t* to, F32x16 a) {
  for (int i = 0; i < 4; i++) vst1_u16(to + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.part[i])));
}
// Signed bytes.
inline F32x16 loadInt8(const uint8_t* from) {
  const int8x16_t bytes = vreinterpretq_s8_u8(vld1q_u8(from));
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
  return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
           vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))}};
}
// 2^-8 of FP8 E4M3 numbers: sign, exponent and fraction moved to their places in a half.
inline F32x16 loadE4m3(const uint8_t* from) {
  const int8x16_t bytes = vreinterpretq_s8_u8(vld1q_u8(from));
  const auto halvesOf = [](int16x8_t words) {
    return vreinterpretq_u16_s16(vandq_s16(vshlq_n_s16(words, 7), vdupq_n_s16(int16_t(0xbfff))));
  };
  const uint16x8_t low = halvesOf(vmovl_s8(vget_low_s8(bytes))), high = halvesOf(vmovl_high_s8(bytes));
  return {{halvesToFloats(vget_low_u16(low)), halvesToFloats(vget_high_u16(low)), halvesToFloats(vget_low_u16(high)),
           halvesToFloats(vget_high_u16(high))}};
}
// Nearest integers, for values in (-2^31, 2^31).
inline void storeInt32(int32_t* to, F32x16 a) {
  for (int i = 0; i < 4; i++) vst1q_s32(to + 4 * i, vcvtnq_s32_f32(a.part[i]));
}

}  // namespace aloft::ALOFT_ISA
