// Parts that the kernels of int4 weights share: activations as for int8, and sums of them by group, by which its zeros
// are taken out of its dot products.
#pragma once
#include "quantise.h"

namespace aloft {

// End of the stored inputs of group g: the last group may end before the padding does.
ALOFT_INLINE int64_t groupEnd(const LinearCall& call, int64_t g) {
  const int64_t end = (g + 1) * call.group;
  return end < call.paddedIn ? end : call.paddedIn;
}

// Activations as of int8, [tokens][in] in 16 bits, and their sums.
ALOFT_INLINE void prepareGroupWords(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  quantiseToWords(call, block, first, last);
  for (int64_t t = first; t < last; t++) {
    const int16_t* x = reinterpret_cast<const int16_t*>(block.activations) + t * call.paddedIn;
    for (int64_t g = 0; g < groupCount(call); g++) {
      int32_t sum = 0;
      for (int64_t k = g * call.group; k < groupEnd(call, g); k++) sum += x[k];
      block.groupSum[t * groupCount(call) + g] = sum;
    }
  }
}

// The same as two bytes, in the layout of quantiseToBytes.
ALOFT_INLINE void prepareGroupBytes(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  quantiseToBytes(call, block, first, last, 0);
  for (int64_t t = first; t < last; t++) {
    const auto* row = reinterpret_cast<const int8_t*>(byteRows<2>(call, block, t));
    for (int64_t g = 0; g < groupCount(call); g++) {
      int32_t high = 0, low = 0;
      for (int64_t k = g * call.group; k < groupEnd(call, g); k += 32) {
        const int8_t* bytes = row + k / 64 * 1024 + k % 64;
        for (int64_t i = 0; i < 32; i++) {
          high += bytes[i];
          low += bytes[64 + i];
        }
      }
      block.groupSum[t * groupCount(call) + g] = high * 256 + low;
    }
  }
}

// out = sum over the groups * token scale, for one token and tile.
ALOFT_INLINE void storeSums(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile,
                            const float* sums) {
  float results[tileRows];
  for (int64_t row = 0; row < tileRows; row++) results[row] = sums[row] * block.scale[t];
  storeTile(call, block.firstToken + t, tile, results);
}

}  // namespace aloft
