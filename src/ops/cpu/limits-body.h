// Reading, and the peak rate of f32 multiply-adds, at the level of the including file.
#include "limits.h"
#include "simd.h"

namespace aloft::ALOFT_ISA {

double peakF32(int64_t rounds) {
  // Independent chains, enough to hide the latency and few enough for the registers.
#if defined(__AVX512F__)
  constexpr int chains = 12;
#elif defined(__AVX2__) || defined(ALOFT_NEON)
  constexpr int chains = 5;
#else
  constexpr int chains = 2;
#endif
  F32x16 sums[chains], factor = broadcast(0.5f);
  for (F32x16& sum : sums) sum = broadcast(1.0f);
  for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; i++) sums[i] = fma(sums[i], factor, factor);
  }
  F32x16 total = broadcast(0.0f);
  for (const F32x16& sum : sums) total = total + sum;
  const double operations = 2.0 * lanes * chains * static_cast<double>(rounds);
  // The sums converge to 1: the test keeps the compiler from leaving the work out.
  return reduceAdd(total) > 0 ? operations : 0;
}

uint64_t readWords(const uint64_t* words, int64_t count) {
  typedef uint64_t Line __attribute__((vector_size(64)));
  constexpr int64_t width = 8, ahead = 80;  // words: a cache line, and 640 bytes
  Line even = {}, odd = {}, line;
  int64_t i = 0;
  for (; i + 2 * width <= count; i += 2 * width) {
    __builtin_prefetch(words + i + ahead);
    __builtin_prefetch(words + i + ahead + width);
    std::memcpy(&line, words + i, sizeof line);
    even ^= line;
    std::memcpy(&line, words + i + width, sizeof line);
    odd ^= line;
  }
  even ^= odd;
  uint64_t total = 0;
  for (int64_t j = 0; j < width; j++) total ^= even[j];
  for (; i < count; i++) total ^= words[i];
  return total;
}

}  // namespace aloft::ALOFT_ISA
