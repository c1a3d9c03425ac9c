#include "limits.h"
#include <immintrin.h>

namespace aloft {

double peakInt8Vnni(int64_t rounds) {
  constexpr int chains = 16;
  __m512i sums[chains];
#pragma GCC unroll 16
  for (int i = 0; i < chains; i++) sums[i] = _mm512_setzero_si512();
  const __m512i factor = _mm512_set1_epi8(1);
  for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 16
    for (int i = 0; i < chains; i++) {
      sums[i] = _mm512_dpbusd_epi32(sums[i], factor, factor);
      __asm__ volatile("" : "+v"(sums[i]));  // equal chains would be computed once
    }
  }
  __asm__ volatile("" : : "v"(sums[0]));
  return 2.0 * 64 * chains * static_cast<double>(rounds);
}

}  // namespace aloft
