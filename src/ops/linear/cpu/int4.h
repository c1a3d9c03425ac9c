// Parts that the kernels of int4 weights share: activations as for int8, and sums of them by group, by which its zeros
// are taken out of its dot products.
#pragma once
#include "quantise.h"

namespace aloft {

// Inputs of group g that are stored: the last group may end before the padding does.
ALOFT_INLINE int64_t groupEnd(const LinearCall& call, int64_t g) {
  const int64_t end = (g + 1) * call.group;
  return end < call.paddedIn ? end : call.paddedIn;
}

ALOFT_INLINE void addResults(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile,
                             const float* sums) {
  float results[tileRows];
  for (int64_t row = 0; row < tileRows; row++) results[row] = sums[row] * block.scale[t];
  storeTile(call, block.firstToken + t, tile, results);
}

}  // namespace aloft
