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
  // As wide as a register: compilers take wider vectors apart through memory, at half the speed.
#if defined(__AVX512F__)
  typedef uint64_t Part __attribute__((vector_size(64)));
#elif defined(__AVX2__)
  typedef uint64_t Part __attribute__((vector_size(32)));
#else
  typedef uint64_t Part __attribute__((vector_size(16)));
#endif
  constexpr int64_t partWords = sizeof(Part) / 8, parts = 16 / partWords;  // two cache lines in parts
  constexpr int64_t ahead = 80;                                            // words: 640 bytes
  Part sums[parts] = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    __builtin_prefetch(words + i + ahead);
    __builtin_prefetch(words + i + ahead + 8);
#pragma GCC unroll 8
    for (int64_t part = 0; part < parts; part++) {
      Part read;
      std::memcpy(&read, words + i + part * partWords, sizeof read);
      sums[part] ^= read;
    }
  }
  uint64_t total = 0;
#pragma GCC unroll 8
  for (int64_t part = 0; part < parts; part++)
    for (int64_t j = 0; j < partWords; j++) total ^= sums[part][j];
  for (; i < count; i++) total ^= words[i];
  return total;
}

}  // namespace aloft::ALOFT_ISA
