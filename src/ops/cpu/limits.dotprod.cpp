#include "limits.h"
#include <arm_neon.h>

namespace aloft {

double peakInt8Dotprod(int64_t rounds) {
  constexpr int chains = 16;
  int32x4_t sums[chains] = {};
  const int8x16_t ones = vdupq_n_s8(1);
  for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 16
    for (int i = 0; i < chains; i++) {
      sums[i] = vdotq_s32(sums[i], ones, ones);
      __asm__ volatile("" : "+w"(sums[i]));  // equal chains would be computed once
    }
  }
  return 2.0 * 16 * chains * static_cast<double>(rounds);
}

}  // namespace aloft
