// Quantises rows to int4 in groups (../reference.ts, quantiseGroups), compiled for several levels.
#pragma once
#include "ops/cpu/levels.h"
#include "quantise-groups.h"

namespace aloft::ALOFT_ISA {

// Rounds to nearest even, as quantise.h does, and bounds.
ALOFT_INLINE int32_t groupCode(float value, float inverse, int32_t zero, int32_t lowest, int32_t highest) {
  constexpr float magic = 0x1.8p23f;
  const int32_t code = static_cast<int32_t>(bitsOfFloat(value * inverse + magic) - bitsOfFloat(magic)) + zero;
  return code < lowest ? lowest : code > highest ? highest : code;
}

void quantiseGroup(const float* values, int64_t count, bool hasZeros, const GroupTarget& target, PackReport& report) {
  float low = values[0], high = values[0];
  int64_t nonFinite = 0;
  for (int64_t i = 0; i < count; i++) {
    low = values[i] < low ? values[i] : low;
    high = values[i] > high ? values[i] : high;
    nonFinite += (bitsOfFloat(values[i]) & 0x7fffffff) >= 0x7f800000;
  }
  const float below = low < 0 ? low : 0, above = high > 0 ? high : 0;
  const uint16_t stored = floatToHalf(hasZeros ? (above - below) / 15 : (-low > high ? low : high) / -8);
  const float scale = halfToFloat(stored), inverse = scale == 0 ? 0 : 1 / scale;
  const bool overflows = (stored & 0x7fff) == 0x7c00;
  const int32_t lowest = hasZeros ? 0 : -8, highest = lowest + 15;
  const int32_t zero = hasZeros ? groupCode(-below, inverse, 0, lowest, highest) : 0;
  double squaredError = 0, squaredSum = 0;
  for (int64_t i = 0; i < count; i++) {
    const int32_t code = groupCode(values[i], inverse, zero, lowest, highest);
    const double error = static_cast<double>(values[i]) - static_cast<double>(code - zero) * scale;
    squaredError += error * error;
    squaredSum += static_cast<double>(values[i]) * values[i];
    target.codes[i] = static_cast<int8_t>(code);
  }
  *target.scale = stored;
  if (hasZeros) *target.zero = static_cast<uint8_t>(zero);
  report.squaredError += overflows ? 0 : squaredError;
  report.squaredSum += squaredSum;
  report.overflowCount += overflows && nonFinite == 0 ? count : 0;
  report.nonFiniteCount += nonFinite;
}

}  // namespace aloft::ALOFT_ISA
