// Limits of the machine, for benchmarks to be measured against: reading memory, and arithmetic on registers.
#pragma once
#include "levels.h"
#include <cstdint>

// One thread's `rounds` of arithmetic; returns the operations done, a multiply-add being two.
ALOFT_DECLARE_LEVELS(double, peakF32, (int64_t rounds))
// Exclusive or of `count` words.
ALOFT_DECLARE_LEVELS(uint64_t, readWords, (const uint64_t* words, int64_t count))

namespace aloft {
double peakInt8Avx2(int64_t rounds);
double peakInt8Vnni(int64_t rounds);
double peakInt8Dotprod(int64_t rounds);
double peakInt8Amx(int64_t rounds);
double peakBf16Amx(int64_t rounds);
}  // namespace aloft
