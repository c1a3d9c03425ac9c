// Conversions between f32 and the formats of 16 and 8 bits, by integer arithmetic without branches so that loops over
// them become vector code at every instruction-set level. Rounding is to nearest even.
#pragma once
#include "api.h"
#include <cstring>

namespace aloft {

// Numbers are shared with TypeScript (src/ops/cpu/dtype-code.ts).
enum class DType : int { f32 = 0, f16 = 1, bf16 = 2 };

ALOFT_INLINE int bytesPerElement(DType dtype) { return dtype == DType::f32 ? 4 : 2; }

ALOFT_INLINE float floatOfBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

ALOFT_INLINE uint32_t bitsOfFloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

ALOFT_INLINE float halfToFloat(uint16_t half) {
  const uint32_t magnitude = half & 0x7fff;
  // The multiplication moves the exponent's bias from 15 to 127 and makes subnormal halves normal.
  const uint32_t finite = bitsOfFloat(floatOfBits(magnitude << 13) * 0x1p112f);
  const uint32_t bits = magnitude >= 0x7c00 ? (magnitude << 13) | 0x7f800000 : finite;
  return floatOfBits(bits | static_cast<uint32_t>(half & 0x8000) << 16);
}

// Overflow becomes infinity.
ALOFT_INLINE uint16_t floatToHalf(float value) {
  const uint32_t bits = bitsOfFloat(value), magnitude = bits & 0x7fffffff;
  const uint32_t normal = (magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x38000000) >> 13;
  // Adding 0.5 rounds to multiples of 2^-24, the step of subnormal halves.
  const uint32_t subnormal = bitsOfFloat(floatOfBits(magnitude) + 0.5f) - 0x3f000000;
  uint32_t half = magnitude < 0x38800000 ? subnormal : normal;
  half = magnitude >= 0x477ff000 ? 0x7c00 : half;
  half = magnitude > 0x7f800000 ? 0x7e00 : half;
  return static_cast<uint16_t>(half | (bits >> 16 & 0x8000));
}

ALOFT_INLINE float bfloat16ToFloat(uint16_t value) { return floatOfBits(static_cast<uint32_t>(value) << 16); }

ALOFT_INLINE uint16_t floatToBfloat16(float value) {
  const uint32_t bits = bitsOfFloat(value);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
}

// FP8 E4M3, beyond 448 is 448. Not for NaN.
ALOFT_INLINE uint8_t floatToE4m3(float value) {
  const uint32_t bits = bitsOfFloat(value), magnitude = bits & 0x7fffffff;
  // Adding 2^14 leaves the count of 2^-9 steps, the step of subnormal numbers, rounded to even, in the low bits.
  const uint32_t subnormal = bitsOfFloat(floatOfBits(magnitude) + 0x1p14f) - 0x46800000;
  const uint32_t normal = (magnitude + 0x7ffff + ((magnitude >> 20) & 1) - 0x3c000000) >> 20;
  const uint32_t code = magnitude < 0x3c800000 ? subnormal : normal;
  return static_cast<uint8_t>((code < 0x7e ? code : 0x7e) | (bits >> 24 & 0x80));
}

// Not for NaN.
ALOFT_INLINE float e4m3ToFloat(uint8_t code) {
  // The multiplication moves the exponent's bias from 7 to 127 and makes subnormal numbers normal.
  const uint32_t magnitude = bitsOfFloat(floatOfBits(static_cast<uint32_t>(code & 0x7f) << 20) * 0x1p120f);
  return floatOfBits(magnitude | static_cast<uint32_t>(code & 0x80) << 24);
}

// `count` elements to f32. The source need not be aligned: checkpoint files do not promise it.
ALOFT_INLINE void toFloats(DType dtype, const uint8_t* source, int64_t count, float* out) {
  if (dtype == DType::f32) {
    std::memcpy(out, source, count * 4);
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    uint16_t bits;
    std::memcpy(&bits, source + i * 2, 2);
    out[i] = dtype == DType::f16 ? halfToFloat(bits) : bfloat16ToFloat(bits);
  }
}

}  // namespace aloft
