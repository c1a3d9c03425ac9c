// Quantises rows to int4 in groups (../reference.ts, quantiseGroups), compiled for several levels.
#pragma once
#include "ops/cpu/simd.h"
#include "quantise-groups.h"

namespace aloft::ALOFT_ISA {

// The scales that are tried, the plain one first: see reference.ts.
constexpr float extremes[] = {8, 7, 7.5f, 8.5f, 9, 9.5f, 10, 10.5f};
constexpr float shares[] = {1, 0.95f, 0.9f, 0.85f, 0.8f, 0.75f};

struct Rounding {
  uint16_t stored;  // the scale as f16
  float scale, inverse;
  int32_t zero, lowest;

  Rounding(float exact, bool hasZeros) : stored(floatToHalf(exact)), scale(halfToFloat(stored)) {
    inverse = scale == 0 ? 0 : 1 / scale;
    zero = 0;
    lowest = hasZeros ? 0 : -8;
  }

  // Rounds to nearest even, as quantise.h does, and bounds.
  [[gnu::always_inline]] int32_t code(float value) const {
    constexpr float magic = 0x1.8p23f;
    const int32_t rounded = static_cast<int32_t>(bitsOfFloat(value * inverse + magic) - bitsOfFloat(magic)) + zero;
    return rounded < lowest ? lowest : rounded > lowest + 15 ? lowest + 15 : rounded;
  }

  // Squared error in f32, to compare with that of others.
  float squaredError(const float* values, int64_t count) const {
    const F32x16 factor = broadcast(inverse), step = broadcast(scale), offset = broadcast(static_cast<float>(zero));
    const F32x16 first = broadcast(static_cast<float>(lowest)), last = broadcast(static_cast<float>(lowest + 15));
    F32x16 sum = broadcast(0.0f);
    for (int64_t i = 0; i < count; i += lanes) {
      const F32x16 value = loadPartial(values + i, count - i < lanes ? count - i : lanes);
      const F32x16 steps = min(last, max(first, roundToNearest(value * factor) + offset)) - offset;
      const F32x16 error = value - steps * step;
      sum = sum + error * error;
    }
    return reduceAdd(sum);
  }
};

struct Range {
  float low, high;
  int64_t nonFinite;
};

ALOFT_INLINE Range rangeOf(const float* values, int64_t count) {
  Range range = {values[0], values[0], 0};
  for (int64_t i = 0; i < count; i++) {
    range.low = values[i] < range.low ? values[i] : range.low;
    range.high = values[i] > range.high ? values[i] : range.high;
    range.nonFinite += (bitsOfFloat(values[i]) & 0x7fffffff) >= 0x7f800000;
  }
  return range;
}

ALOFT_INLINE Rounding symmetric(const Range& range, float extreme) {
  return {(-range.low > range.high ? range.low : range.high) / -extreme, false};
}

ALOFT_INLINE Rounding withZero(const Range& range, float share) {
  const float below = range.low < 0 ? range.low : 0, above = range.high > 0 ? range.high : 0;
  Rounding rounding((above - below) * share / 15, true);
  rounding.zero = rounding.code(-below * share);
  return rounding;
}

template <size_t count, typename Make>
ALOFT_INLINE Rounding leastError(const float (&choices)[count], const float* values, int64_t valueCount, Make make) {
  Rounding best = make(choices[0]);
  float least = best.squaredError(values, valueCount);
  for (size_t i = 1; i < count; i++) {
    const Rounding next = make(choices[i]);
    const float error = next.squaredError(values, valueCount);
    if (error < least) best = next, least = error;
  }
  return best;
}

void quantiseGroup(const float* values, int64_t count, bool hasZeros, const GroupTarget& target, PackReport& report) {
  const Range range = rangeOf(values, count);
  const Rounding rounding =
      hasZeros ? leastError(shares, values, count, [&](float share) { return withZero(range, share); })
               : leastError(extremes, values, count, [&](float extreme) { return symmetric(range, extreme); });
  double squaredError = 0, squaredSum = 0;
  for (int64_t i = 0; i < count; i++) {
    const int32_t code = rounding.code(values[i]);
    const double error = static_cast<double>(values[i]) - static_cast<double>(code - rounding.zero) * rounding.scale;
    target.codes[i] = static_cast<int8_t>(code);
    squaredError += error * error;
    squaredSum += static_cast<double>(values[i]) * values[i];
  }
  *target.scale = rounding.stored;
  if (hasZeros) *target.zero = static_cast<uint8_t>(rounding.zero);
  const bool overflows = (rounding.stored & 0x7fff) == 0x7c00;
  report.squaredError += overflows ? 0 : squaredError;
  report.squaredSum += squaredSum;
  report.overflowCount += overflows && range.nonFinite == 0 ? count : 0;
  report.nonFiniteCount += range.nonFinite;
}

}  // namespace aloft::ALOFT_ISA
