#include "limits.h"
#include <immintrin.h>

namespace aloft {

// Products of bytes, added in 16 bits and then in 32.
double peakInt8Avx2(int64_t rounds) {
  constexpr int chains = 8;
  __m256i sums[chains] = {};
  __m256i factor = _mm256_set1_epi8(1);
  const __m256i ones = _mm256_set1_epi16(1);
  for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 8
    for (int i = 0; i < chains; i++) {
      __asm__ volatile("" : "+x"(factor));  // equal products would be computed once
      sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(_mm256_maddubs_epi16(factor, factor), ones));
      __asm__ volatile("" : "+x"(sums[i]));
    }
  }
  return 2.0 * 32 * chains * static_cast<double>(rounds);
}

}  // namespace aloft
