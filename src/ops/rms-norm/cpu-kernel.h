// Body of the RMSNorm kernels, compiled for each instruction set.
#pragma once
#include "ops/cpu/simd.h"

namespace aloft::ALOFT_ISA {

// out = x / sqrt(mean(x^2) + epsilon) * weight for one row of `columns`.
// With a delta, x += delta first, in place.
void rmsNormRow(float* x, const float* delta, const float* weight, float* out, int64_t columns, float epsilon) {
  const int64_t whole = columns / lanes * lanes;
  const int64_t rest = columns - whole;
  const auto sumAt = [&](int64_t i, int64_t count) {
    F32x16 value = loadPartial(x + i, count);
    if (delta != nullptr) {
      value = value + loadPartial(delta + i, count);
      storePartial(x + i, value, count);
    }
    return value;
  };
  // Four sums, because one would wait for the previous addition each time.
  F32x16 squares[4] = {broadcast(0), broadcast(0), broadcast(0), broadcast(0)};
  int64_t i = 0;
  for (; i + 4 * lanes <= whole; i += 4 * lanes) {
    for (int part = 0; part < 4; part++) {
      const F32x16 value = sumAt(i + part * lanes, lanes);
      squares[part] = fma(value, value, squares[part]);
    }
  }
  for (; i < columns; i += lanes) {
    const F32x16 value = sumAt(i, i < whole ? lanes : rest);
    squares[0] = fma(value, value, squares[0]);
  }
  const float sum = reduceAdd((squares[0] + squares[1]) + (squares[2] + squares[3]));
  const F32x16 scale = broadcast(1.0f / std::sqrt(sum / static_cast<float>(columns) + epsilon));
  for (i = 0; i < whole; i += lanes) store(out + i, load(x + i) * scale * load(weight + i));
  if (rest > 0) storePartial(out + i, loadPartial(x + i, rest) * scale * loadPartial(weight + i, rest), rest);
}

}  // namespace aloft::ALOFT_ISA
