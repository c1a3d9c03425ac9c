// Types that the choosing half (sample.cpp) and the vector half (cpu-kernel.h) of sampling share.
#pragma once
#include <cstdint>
#include <limits>

namespace aloft {

// Sums over the vocabulary are kept per chunk of this many tokens.
constexpr int64_t chunkTokens = 1024;

inline int64_t chunkCount(int64_t vocabulary) { return (vocabulary + chunkTokens - 1) / chunkTokens; }

// exp(value - max) in units of 2^-30, which makes sums exact whatever their order.
constexpr float weightOne = 0x1p30f;

constexpr float lowest = -std::numeric_limits<float>::infinity();
constexpr float highest = std::numeric_limits<float>::max();

// NaN counts as minus infinity, plus infinity as the largest number.
inline float bounded(float value) {
  if (!(value > lowest)) return lowest;
  return value < highest ? value : highest;
}

}  // namespace aloft
