// Conversions of single 16-bit floats, for machines and places without vector conversions.
#pragma once
#include "levels.h"
#include <bit>
#include <cstdint>

namespace aloft::ALOFT_ISA {

// IEEE binary16 -> f32. Exact.
inline float halfToFloat(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16;
  const uint32_t magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // A multiplication by 2^112 moves the exponent's bias and makes subnormal halves normal.
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112f));
}

// f32 -> IEEE binary16, round to nearest even; overflow becomes infinity.
inline uint16_t floatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Adding 0.5 leaves the count of 2^-24 steps, rounded to even, in the low bits.
  if (magnitude < 0x38800000)
    return sign | (std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000);
  return sign | ((magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x38000000) >> 13);
}

inline float bfloatToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

}  // namespace aloft::ALOFT_ISA
